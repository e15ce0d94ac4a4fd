"""Cancelling tasks and builds: one takes the other with it."""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub import build_records, notifications, tasks
from koji_adjutant.minihub.builds import BUILDING, get_build
from koji_adjutant.minihub.context import Context, exported


def cancel(ctx: Context, task_id: int, *, recurse: bool = True) -> bool:
    """CANCELED, with its builds and children; False when it had ended otherwise. The builder finds out by itself."""
    info = tasks.existing(ctx.state, task_id)
    if info["state"] in (tasks.CLOSED, tasks.FAILED):
        return False
    if info["state"] == tasks.CANCELED:
        return True
    tasks.mark_canceled(ctx.state, info["id"])
    for row in ctx.db.rows("SELECT id FROM build WHERE task_id = ? AND state = ?", (info["id"], BUILDING)):
        _cancel_build(ctx, row["id"], info["id"])
    if recurse:
        cancel_children(ctx, info["id"])
    return True


def _cancel_build(ctx: Context, build_id: int, task_id: int | None) -> bool:
    if not build_records.cancel(ctx, build_id):
        return False
    if task_id is not None:
        notifications.build_notification(ctx, task_id, build_id)
    return True


def cancel_children(ctx: Context, task_id: int) -> None:
    """Cancel every child with its children."""
    for child in ctx.db.rows("SELECT id FROM task WHERE parent = ?", (task_id,)):
        cancel(ctx, child["id"])


def cancel_full(ctx: Context, task_id: int, *, strict: bool) -> None:
    """Cancel the whole tree, beyond finished children; strict: the id must be its top."""
    top = task_id
    parent = ctx.db.value("SELECT parent FROM task WHERE id = ?", (top,))
    if parent is not None and strict:
        raise koji.GenericError(f"Task {task_id} is not top-level (parent={parent})")
    while parent is not None:
        top, parent = parent, ctx.db.value("SELECT parent FROM task WHERE id = ?", (parent,))
    tree = [top]
    for member in tree:
        cancel(ctx, member, recurse=False)
        tree.extend(row["id"] for row in ctx.db.rows("SELECT id FROM task WHERE parent = ?", (member,)))


@exported("cancelBuild")
def cancel_build(ctx: Context, buildID: Any, strict: bool = False) -> bool:  # noqa: N803 - the hub's name for it
    """Cancel a build and its task: owner or administrator; whether it was cancelled."""
    ctx.assert_login()
    build = get_build(ctx, buildID, strict)
    if build is None:
        return False
    if build["owner_id"] != ctx.session.user_id and not ctx.has_perm("admin"):
        raise koji.ActionNotAllowed("Cannot cancel build, not owner")
    if not _cancel_build(ctx, build["id"], build["task_id"]):
        return False
    if build["task_id"] is not None:
        cancel_full(ctx, build["task_id"], strict=False)
    return True
