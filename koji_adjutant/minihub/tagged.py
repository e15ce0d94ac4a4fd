"""What is in a tag: builds, newest first, and their rpms; now or at an event.

As in the real hub, only packages that the tag lists and does not block count, whatever was tagged.
"""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub.builds import COLUMNS, COMPLETE, TABLES, described
from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.inheritance import order_of
from koji_adjutant.minihub.package_lists import package_list
from koji_adjutant.minihub.rpms import described_rpm, rpm_columns
from koji_adjutant.minihub.tags import get_tag, strict_tag

# Fields of a build that a list of tagged builds has not.
_NOT_LISTED = ("source", "creation_ts", "start_ts", "completion_ts", "promotion_ts")


def _at(event: int | None) -> tuple[str, list[int]]:
    if event is None:
        return "revoke_event IS NULL", []
    return "listing.create_event <= ? AND (revoke_event IS NULL OR revoke_event > ?)", [event, event]


def tagged_builds(
    ctx: Context, tag_id: int, *, event: int | None = None, inherit: bool = False, latest: Any = False,
    package: str | None = None, owner: str | None = None, btype: str | None = None, draft: bool | None = None,
    extra: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """COMPLETE builds; `latest` (True or a number) keeps the newest of each package, nearest tag first."""
    listed = package_list(ctx, tag_id)
    limit = 0 if not latest else 1 if latest is True else int(latest)
    found: list[dict[str, Any]] = []
    count: dict[int, int] = {}
    for member in order_of(ctx, tag_id) if inherit else [tag_id]:
        for row in _rows(ctx, member, event):
            entry = listed.get(row["package_id"])
            wanted = {"package_name": package, "owner_name": owner, "draft": draft}
            if any(value is not None and row[name] != value for name, value in wanted.items()):
                continue
            if entry is None or entry["blocked"] or (btype is not None and not _is(ctx, row["id"], btype)):
                continue
            count[row["package_id"]] = count.get(row["package_id"], 0) + 1
            if not limit or count[row["package_id"]] <= limit:
                found.append(row if extra else {name: value for name, value in row.items() if name != "extra"})
    return found


def _is(ctx: Context, build_id: int, btype: str) -> bool:
    return bool(ctx.db.value("SELECT 1 FROM build_types WHERE build_id = ? AND btype = ?", (build_id, btype)))


def _rows(ctx: Context, tag_id: int, event: int | None) -> list[dict[str, Any]]:
    clause, values = _at(event)
    sql = (
        f"SELECT {COLUMNS}, tag.id AS tag_id, tag.name AS tag_name, listing.create_event FROM {TABLES} "  # noqa: S608 - constants
        f"JOIN tag_listing listing ON listing.build_id = build.id JOIN tag ON tag.id = listing.tag_id "
        f"WHERE listing.tag_id = ? AND build.state = ? AND {clause} ORDER BY listing.create_event DESC, build.id DESC"
    )
    rows = [described(row) for row in ctx.db.rows(sql, (tag_id, COMPLETE, *values))]
    return [{name: value for name, value in row.items() if name not in _NOT_LISTED} for row in rows]


@exported("listTagged")
def list_tagged(
    ctx: Context, tag: Any, event: int | None = None, inherit: bool = False, prefix: str | None = None,
    latest: Any = False, package: str | None = None, owner: str | None = None, type: str | None = None,  # noqa: A002 - API
    strict: bool = True, extra: bool = False, draft: bool | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Builds of a tag."""
    info = get_tag(ctx, tag, strict)
    if info is None:
        return []
    found = tagged_builds(
        ctx, info["id"], event=event, inherit=inherit, latest=latest, package=package, owner=owner, btype=type,
        draft=draft, extra=extra,
    )  # fmt: skip
    return [row for row in found if row["package_name"].lower().startswith((prefix or "").lower())]


@exported("getLatestBuilds")
def get_latest_builds(
    ctx: Context, tag: Any, event: int | None = None, package: str | None = None, type: str | None = None,  # noqa: A002 - API
    draft: bool | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """The newest build of each package, inherited ones too."""
    return list_tagged(ctx, tag, event, inherit=True, latest=True, package=package, type=type, draft=draft)


def tagged_rpms(
    ctx: Context, builds: list[dict[str, Any]], *, arch: Any = None, rpmsigs: bool = False,
    extra: bool = True, draft: bool | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rpms of those builds, in the order of the tags; with `rpmsigs` one row for each signature."""
    if arch and not isinstance(arch, (str, list, tuple)):
        raise koji.GenericError(f"Invalid type for arch option: {type(arch)}")
    arches = {arch} if isinstance(arch, str) else set(arch or ())
    found: list[dict[str, Any]] = []
    for build_id in dict.fromkeys(build["id"] for build in builds):
        sql = f"SELECT {rpm_columns('id')} FROM rpminfo WHERE build_id = ? ORDER BY id"  # noqa: S608 - constant columns
        rows = [described_rpm(row) for row in ctx.db.rows(sql, (build_id,))]
        for row in rows:
            if (arches and row["arch"] not in arches) or (draft is not None and row["draft"] != draft):
                continue
            if not extra:
                del row["extra"]
            found.extend([row | {"sigkey": key} for key in _keys(ctx, row["id"])] if rpmsigs else [row])
    return found


def _keys(ctx: Context, rpm_id: int) -> list[str | None]:
    keys = [row["sigkey"] for row in ctx.db.rows("SELECT sigkey FROM rpmsigs WHERE rpm_id = ?", (rpm_id,))]
    return keys or [None]


@exported("listTaggedRPMS")
def list_tagged_rpms(
    ctx: Context, tag: Any, event: int | None = None, inherit: bool = False, latest: Any = False,
    package: str | None = None, arch: Any = None, rpmsigs: bool = False, owner: str | None = None,
    type: str | None = None, strict: bool = True, extra: bool = True, draft: bool | None = None,  # noqa: A002 - API
) -> list[Any]:  # fmt: skip
    """[rpms, builds] of a tag."""
    info = get_tag(ctx, tag, strict)
    if info is None:
        return []
    builds = tagged_builds(
        ctx, info["id"], event=event, inherit=inherit, latest=latest, package=package, owner=owner, btype=type,
        draft=draft,
    )  # fmt: skip
    return [tagged_rpms(ctx, builds, arch=arch, rpmsigs=rpmsigs, extra=extra, draft=draft), builds]


@exported("getLatestRPMS")
def get_latest_rpms(
    ctx: Context, tag: Any, package: str | None = None, arch: Any = None, event: int | None = None,
    rpmsigs: bool = False, type: str | None = None, draft: bool | None = None,  # noqa: A002 - API
) -> list[Any]:  # fmt: skip
    """[rpms, builds] of the newest builds, inherited ones too."""
    return list_tagged_rpms(
        ctx, strict_tag(ctx, tag)["id"], event, inherit=True, latest=True, package=package, arch=arch,
        rpmsigs=rpmsigs, type=type, draft=draft,
    )  # fmt: skip
