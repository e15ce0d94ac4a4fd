# ruff: noqa: ARG001, N803 - signatures are the hub's API
"""RPMs the hub knows: those of its own packages, and those seen in buildroots that came from external repos."""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub.builds import find_build
from koji_adjutant.minihub.context import Context, apply_query_options, exported
from koji_adjutant.minihub.hosts import name_or_id

_PLAIN = ("build_id", "buildroot_id", "name", "version", "release", "epoch", "arch", "draft")
_REST = ("payloadhash", "size", "buildtime")


def rpm_columns(*more: str) -> str:
    """Columns of an rpm without its external repo."""
    return ", ".join(f"rpminfo.{name}" for name in (*more, *_PLAIN, *_REST))


_COLUMNS = rpm_columns("id", "external_repo_id") + ", external_repo.name AS external_repo_name"
_FROM = "FROM rpminfo JOIN external_repo ON external_repo.id = external_repo_id"

# Field of an entry of a buildroot list -> types the hub takes for it (contract 7.2).
_EXTERNAL_FIELDS: dict[str, tuple[type, ...]] = {
    "name": (str,), "version": (str,), "release": (str,), "epoch": (int, type(None)), "arch": (str,),
    "payloadhash": (str,), "size": (int,), "buildtime": (int,),
}  # fmt: skip


def described_rpm(row: dict[str, Any]) -> dict[str, Any]:
    """An rpm row as the API shows it."""
    return row | {"metadata_only": False, "extra": None}


def find_rpms(ctx: Context, info: Any) -> list[dict[str, Any]]:
    """Rpms by id, N-V-R.A text or dict (`location`: of one external repo): own ones first, drafts after the others."""
    data: dict[str, Any]
    if isinstance(info, int):
        data = {"id": info}
    elif isinstance(info, str):
        data = {"id": int(info)} if info.isdigit() else koji.parse_NVRA(info)
    else:
        data = dict(info)
    if "id" in data:
        where, values = "rpminfo.id = ?", [data["id"]]
    else:
        where = "rpminfo.name = ? AND version = ? AND release = ? AND arch = ?"
        values = [data[name] for name in ("name", "version", "release", "arch")]
    if "location" in data:
        where += " AND external_repo_id = ?"
        values.append(external_repo_id(ctx, data["location"]))
    sql = f"SELECT {_COLUMNS} {_FROM} WHERE {where} ORDER BY external_repo_id != 0, rpminfo.draft, rpminfo.id DESC"
    return [described_rpm(row) for row in ctx.db.rows(sql, values)]


def find_rpm(ctx: Context, info: Any) -> dict[str, Any] | None:
    """The first of them, or None."""
    found = find_rpms(ctx, info)
    return found[0] if found else None


def external_repo_id(ctx: Context, info: Any) -> int:
    """Id of an external repo that must be there."""
    column, wanted = name_or_id(info)
    found = ctx.db.value(f"SELECT id FROM external_repo WHERE {column} = ?", (wanted,))  # noqa: S608 - one of two columns
    if found is None:
        raise koji.GenericError(f"No such entry in table external_repo: {info}")
    return int(found)


def known_or_added(ctx: Context, entry: dict[str, Any]) -> int:
    """Id of the rpm an entry of a buildroot list means (contract 7.2); raises for what cannot be in a buildroot."""
    if not entry.get("location"):
        row = find_rpm(ctx, entry)
        if row is None:
            raise koji.GenericError(f"No such rpm: {entry!r}")
        return int(row["id"])
    for name, allowed in _EXTERNAL_FIELDS.items():
        if name not in entry:
            raise koji.GenericError(f"{name} field missing: {entry!r}")
        if not isinstance(entry[name], allowed):
            raise koji.GenericError(f"Invalid value for {name}: {entry[name]!r}")
    values = {name: entry[name] for name in _EXTERNAL_FIELDS}
    known = find_rpm(ctx, values | {"location": entry["location"]})
    if known is None:
        return ctx.db.insert("rpminfo", external_repo_id=external_repo_id(ctx, entry["location"]), **values)
    if known["payloadhash"] != entry["payloadhash"]:
        shown = "{name}-{version}-{release}.{arch}@{external_repo_name}".format_map(known)
        raise koji.GenericError(
            f"hash changed for external rpm: {shown} ({known['payloadhash']} -> {entry['payloadhash']})"
        )
    return int(known["id"])


@exported("getRPM")
def get_rpm(ctx: Context, rpminfo: Any, strict: bool = False, multi: bool = False) -> Any:
    """An rpm, or None."""
    found = find_rpms(ctx, rpminfo)
    if not found and strict and not multi:
        raise koji.GenericError(f"No such rpm: {rpminfo!r}")
    return found if multi else found[0] if found else None


@exported("listRPMs")
def list_rpms(
    ctx: Context, buildID: int | None = None, buildrootID: int | None = None, imageID: int | None = None,
    componentBuildrootID: int | None = None, hostID: int | None = None, arches: Any = None, queryOpts: Any = None,
    draft: bool | None = None,
) -> Any:  # fmt: skip
    """RPMs, those of a build or (`componentBuildrootID`) those that stood in a buildroot."""
    columns, join, where, values = _COLUMNS, "", "1 = 1", []
    if componentBuildrootID is not None:
        columns += ", listing.buildroot_id AS component_buildroot_id, listing.is_update"
        join = "JOIN buildroot_listing listing ON listing.rpm_id = rpminfo.id"
        where, values = "listing.buildroot_id = ?", [componentBuildrootID]
    if imageID is not None:
        where += " AND rpminfo.id IN (SELECT rpm_id FROM archive_rpm_components WHERE archive_id = ?)"
        values = [*values, imageID]
    for column, wanted in (("build_id", buildID), ("rpminfo.buildroot_id", buildrootID), ("rpminfo.draft", draft)):
        if wanted is not None:
            where += f" AND {column} = ?"
            values.append(wanted)
    sql = f"SELECT {columns} {_FROM} {join} WHERE {where} ORDER BY rpminfo.id"
    rows = [
        described_rpm(row) | {"nvr": "{name}-{version}-{release}".format_map(row)} for row in ctx.db.rows(sql, values)
    ]
    if arches is not None:
        wanted_arches = [arches] if isinstance(arches, str) else list(arches)
        rows = [row for row in rows if row["arch"] in wanted_arches]
    return apply_query_options(rows, queryOpts)


@exported("listBuildRPMs")
def list_build_rpms(ctx: Context, build: Any) -> Any:
    """RPMs of a build."""
    return list_rpms(ctx, buildID=find_build(ctx, build, strict=True))


@exported("queryRPMSigs")
def query_rpm_sigs(ctx: Context, rpm_id: Any = None, sigkey: str | None = None, queryOpts: Any = None) -> Any:
    """Signatures of an rpm or by a key."""
    rows = ctx.db.rows("SELECT rpm_id, sigkey, sighash FROM rpmsigs ORDER BY rpm_id")
    if rpm_id is not None:
        rpm = find_rpm(ctx, rpm_id)
        rows = [row for row in rows if rpm is not None and row["rpm_id"] == rpm["id"]]
    return apply_query_options([row for row in rows if sigkey is None or row["sigkey"] == sigkey.lower()], queryOpts)
