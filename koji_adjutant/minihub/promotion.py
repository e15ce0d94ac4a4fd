"""Draft builds become regular ones: the release without its draft suffix, the same id, the files moved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import koji
import koji.util

from koji_adjutant.minihub.builds import get_build, strict_build
from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.policies import assert_policy


@exported("promoteBuild")
def promote_build(ctx: Context, build: Any, force: bool = False) -> dict[str, Any]:
    """Promote a draft: its owner, permission `draft-promoter` or (force) an administrator; the build as it is then."""
    ctx.assert_login()
    draft = strict_build(ctx, build)
    refused = f"Cannot promote build {draft['nvr']}. Reason: "
    if not draft["draft"]:
        raise koji.GenericError(refused + "Not a draft build")
    state = koji.BUILD_STATES[draft["state"]]
    if state != "COMPLETE":
        raise koji.GenericError(refused + f"state ({state}) is not COMPLETE.")
    release = koji.parse_target_release(draft["release"])
    known = get_build(ctx, {"name": draft["name"], "version": draft["version"], "release": release})
    if known is not None:
        raise koji.GenericError(refused + f"Target build exists: {known['nvr']}(#{known['id']})")
    assert_policy(ctx, "draft_promotion", {"build": draft["id"], "user_id": ctx.session.user_id}, force=force)
    ctx.db.run(
        "UPDATE build SET draft = 0, release = ?, promoter = ?, promotion_time = ? WHERE id = ?",
        (release, ctx.session.user_id, ctx.now(), draft["id"]),
    )
    ctx.db.run("UPDATE rpminfo SET draft = 0 WHERE build_id = ?", (draft["id"],))
    promoted = strict_build(ctx, draft["id"])
    _move(ctx.state.build_directory(draft), ctx.state.build_directory(promoted))
    for row in ctx.db.rows(
        "SELECT tag_id FROM tag_listing WHERE build_id = ? AND revoke_event IS NULL", (draft["id"],)
    ):
        ctx.state.tag_changed(row["tag_id"])
    return promoted


def _move(old: Path, new: Path) -> None:
    """A link stays at the old place."""
    koji.util.safer_move(str(old), str(new))
    old.symlink_to(os.path.relpath(new, old.parent))
