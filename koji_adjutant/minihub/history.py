"""`queryHistory`: when builds were tagged and untagged, and by whom. Nothing else here has a history."""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub.builds import find_build, package_id
from koji_adjutant.minihub.context import Context, apply_query_options, convert, exported
from koji_adjutant.minihub.tags import strict_tag
from koji_adjutant.minihub.users import get_user

_TABLES = (
    "build_target_config", "cg_users", "external_repo_config", "external_repo_data", "group_config",
    "group_package_listing", "group_req_listing", "host_channels", "host_config", "tag_config", "tag_external_repos",
    "tag_extra", "tag_inheritance", "tag_listing", "tag_package_owners", "tag_packages", "user_groups", "user_perms",
)  # fmt: skip
_SQL = """
SELECT revoke_event IS NULL AS active, listing.create_event, revoke_event, creator_id, revoker_id,
    creator.name AS creator_name, revoker.name AS revoker_name, ev1.time AS create_ts, ev2.time AS revoke_ts,
    listing.build_id, listing.tag_id, tag.name AS "tag.name", package.name AS name, build.version, build.release,
    build.epoch, build.state AS "build.state", build.pkg_id
FROM tag_listing listing JOIN build ON build.id = listing.build_id JOIN package ON package.id = build.pkg_id
    JOIN tag ON tag.id = listing.tag_id JOIN events ev1 ON ev1.id = listing.create_event
    LEFT JOIN events ev2 ON ev2.id = revoke_event JOIN users creator ON creator.id = creator_id
    LEFT JOIN users revoker ON revoker.id = revoker_id
ORDER BY listing.create_event
"""


@exported("queryHistory")
def query_history(ctx: Context, tables: list[str] | None = None, **options: Any) -> dict[str, Any]:
    """Table -> its rows that fit the options (package, build, tag, editor, active, before..., after...)."""
    wanted = sorted(_TABLES) if tables is None else tables
    for table in wanted:
        if table not in _TABLES:
            raise koji.GenericError(f"No such history table: {table}")
    query_options = options.pop("queryOpts", None)
    found: dict[str, Any] = {table: apply_query_options([], query_options) for table in wanted}
    if "tag_listing" in found:
        found["tag_listing"] = apply_query_options(_tag_listing(ctx, options), query_options)
    return found


def _tag_listing(ctx: Context, options: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [row | {"active": True if row["active"] else None} for row in ctx.db.rows(_SQL)]
    for column, option in (("tag_id", "tag"), ("build_id", "build"), ("pkg_id", "package")):
        if options.get(option) is not None:
            value = _id_of(ctx, option, options[option])
            rows = [row for row in rows if row[column] == value]
    if options.get("editor") is not None:
        editor = get_user(ctx, options["editor"], strict=True)
        rows = [row for row in rows if editor and editor["id"] in (row["creator_id"], row["revoker_id"])]
    if options.get("active") is not None:
        rows = [row for row in rows if bool(row["active"]) is bool(options["active"])]
    if set(options) & {"user", "permission", "external_repo", "build_target", "group", "cg", "host", "channel", "xkey"}:
        return []
    for option, sign, kind in (
        ("before", -1, "ts"), ("after", 1, "ts"), ("beforeEvent", -1, "event"), ("afterEvent", 1, "event"),
    ):  # fmt: skip
        if options.get(option) is not None:
            rows = _beside(rows, convert(options[option], float), sign, kind, option)
    return [{name: value for name, value in row.items() if name != "pkg_id"} for row in rows]


def _id_of(ctx: Context, kind: str, info: Any) -> int | None:
    if kind == "tag":
        return int(strict_tag(ctx, info)["id"])
    return find_build(ctx, info, strict=True) if kind == "build" else package_id(ctx, info)


def _beside(rows: list[dict[str, Any]], limit: float, sign: int, kind: str, option: str) -> list[dict[str, Any]]:
    """Rows made or revoked before (-1) or after (1) the limit, each marked with which it was."""
    suffix = {"beforeEvent": "before_event", "afterEvent": "after_event"}.get(option, option)
    found = []
    for row in rows:
        marks = {
            f"_{how}_{suffix}": None if row[f"{what}_{kind}"] is None else (row[f"{what}_{kind}"] - limit) * sign > 0
            for how, what in (("created", "create"), ("revoked", "revoke"))
        }
        if any(marks.values()):
            found.append(row | marks)
    return found
