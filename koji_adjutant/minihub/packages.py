"""Own packages of a tag: rpm files copied below topdir, of builds that no task made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import koji

from koji_adjutant.errors import HubError
from koji_adjutant.minihub import build_records, imports, tagging
from koji_adjutant.minihub.builds import find_build, strict_build
from koji_adjutant.minihub.context import Context
from koji_adjutant.minihub.package_lists import package_list_add
from koji_adjutant.minihub.rpm_file import RpmFile, read_rpm
from koji_adjutant.minihub.tags import strict_tag


def add_package(ctx: Context, tag: str, source: Path) -> int:
    """Copy the file, as part of the build its source package names, and tag that; the rpm's id.

    The hub's lock and a transaction are held. Raises HubError when the same N-V-R.A with another hash is there already.
    """
    rpm = read_rpm(source)
    if rpm.is_source:
        raise HubError(f"{source} is a source rpm", resolution="Name binary rpm files.")
    build = _build_of(ctx, rpm)
    rpm_id = _known(ctx, rpm)
    if rpm_id is None:
        try:
            rpm_id = imports.import_rpm(ctx, source, build, None, move=False)
        except koji.GenericError as error:
            raise HubError(f"{source} cannot be added: {error}") from error
    tag_id = strict_tag(ctx, tag)["id"]
    package_list_add(ctx, tag_id, build["name"], owner=ctx.session.user_id)
    sql = "SELECT 1 FROM tag_listing WHERE tag_id = ? AND build_id = ? AND revoke_event IS NULL"
    if not ctx.db.value(sql, (tag_id, build["id"])):
        tagging.add(ctx, tag_id, build["id"])
    ctx.state.tag_changed(tag_id)
    return rpm_id


def _build_of(ctx: Context, rpm: RpmFile) -> dict[str, Any]:
    source = koji.parse_NVRA(rpm.sourcerpm)
    named = {key: source[key] for key in ("name", "version", "release")} | {"epoch": rpm.fields["epoch"]}
    return strict_build(ctx, find_build(ctx, named) or build_records.new_build(ctx, named))


def _known(ctx: Context, rpm: RpmFile) -> int | None:
    known = ctx.db.row(
        "SELECT id, payloadhash FROM rpminfo WHERE name = :name AND version = :version AND release = :release "
        "AND arch = :arch AND external_repo_id = 0",
        rpm.fields,
    )
    if known and known["payloadhash"] != rpm.fields["payloadhash"]:
        where = "{name}-{version}-{release}.{arch}".format_map(rpm.fields)
        raise HubError(
            f"{where} is in this hub already, with another content", resolution="Give the new package another release."
        )
    return int(known["id"]) if known else None
