# ruff: noqa: ARG001, N803 - signatures are the hub's API
"""Build targets: a build tag and a destination."""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub.context import Context, apply_query_options, exported
from koji_adjutant.minihub.hosts import name_or_id
from koji_adjutant.minihub.tags import get_tag_id, strict_tag

_TARGET_SQL = (
    "SELECT build_target.id, build_target.name, build_tag, dest_tag, b.name AS build_tag_name, d.name AS dest_tag_name "
    "FROM build_target JOIN tag b ON b.id = build_tag JOIN tag d ON d.id = dest_tag ORDER BY build_target.id"
)


@exported("getBuildTargets")
def get_build_targets(
    ctx: Context, info: Any = None, event: int | None = None, buildTagID: Any = None, destTagID: Any = None,
    queryOpts: Any = None,
) -> Any:  # fmt: skip
    """Targets, filtered."""
    rows = ctx.db.rows(_TARGET_SQL)
    if info is not None:
        column, wanted = name_or_id(info)
        rows = [row for row in rows if row[column] == wanted]
    if buildTagID is not None:
        rows = [row for row in rows if row["build_tag"] == get_tag_id(ctx, buildTagID)]
    if destTagID is not None:
        rows = [row for row in rows if row["dest_tag"] == get_tag_id(ctx, destTagID)]
    return apply_query_options(rows, queryOpts)


@exported("getBuildTarget")
def get_build_target(ctx: Context, info: Any, event: int | None = None, strict: bool = False) -> dict[str, Any] | None:
    """A target by id, name or dict."""
    found = get_build_targets(ctx, info)
    if not found and strict:
        raise koji.GenericError(f"No such build target: {info}")
    return found[0] if found else None


@exported("createBuildTarget")
def create_build_target(ctx: Context, name: str, build_tag: Any, dest_tag: Any) -> None:
    """A new target."""
    ctx.assert_perm("target")
    if get_build_target(ctx, name):
        raise koji.GenericError(f"A build target with the name {name!r} already exists")
    build, dest = strict_tag(ctx, build_tag)["id"], strict_tag(ctx, dest_tag)["id"]
    ctx.db.insert("build_target", name=name, build_tag=build, dest_tag=dest)
    ctx.state.new_event()


@exported("editBuildTarget")
def edit_build_target(ctx: Context, buildTargetInfo: Any, name: str, build_tag: Any, dest_tag: Any) -> None:
    """Change a target."""
    ctx.assert_perm("target")
    target = get_build_target(ctx, buildTargetInfo, strict=True)
    assert target is not None
    build, dest = strict_tag(ctx, build_tag)["id"], strict_tag(ctx, dest_tag)["id"]
    ctx.db.run(
        "UPDATE build_target SET name = ?, build_tag = ?, dest_tag = ? WHERE id = ?", (name, build, dest, target["id"])
    )
    ctx.state.new_event()


@exported("deleteBuildTarget")
def delete_build_target(ctx: Context, buildTargetInfo: Any) -> None:
    """Remove a target."""
    ctx.assert_perm("target")
    target = get_build_target(ctx, buildTargetInfo, strict=True)
    assert target is not None
    ctx.db.run("DELETE FROM build_target WHERE id = ?", (target["id"],))
    ctx.state.new_event()
