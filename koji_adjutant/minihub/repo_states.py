"""The life of a repo: INIT, READY, EXPIRED, DELETED or PROBLEM, ever onwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import koji

from koji_adjutant.minihub.buildroots import EXPIRED as BUILDROOT_EXPIRED
from koji_adjutant.minihub.context import Context, convert, exported
from koji_adjutant.minihub.repos import DELETED, READY, has_options, strict_repo


def set_state(ctx: Context, repo_id: int, state: int) -> None:
    """GenericError for a step back; the same state again is fine. A repo that is READY answers the requests it fits."""
    wanted = convert(state, int)
    if not 0 <= wanted < len(koji.REPO_STATES):
        raise koji.ParameterError(f"Unknown repo state: {state}")
    repo = strict_repo(ctx, repo_id)
    if repo["state"] == wanted:
        return
    if repo["state"] > wanted and wanted != DELETED:
        names = f"{koji.REPO_STATES[repo['state']]} -> {koji.REPO_STATES[wanted]}"
        raise koji.GenericError(f"Invalid repo state transition for repo {repo['id']}: {names}")
    if repo["state"] == DELETED:
        raise koji.GenericError(f"Repo {repo['id']} is deleted")
    ctx.db.run("UPDATE repo SET state = ?, state_time = ? WHERE id = ?", (wanted, ctx.now(), repo["id"]))
    if wanted == READY and not repo["dist"]:
        _answer_requests(ctx, repo)


def _answer_requests(ctx: Context, repo: dict[str, Any]) -> None:
    waiting = ctx.db.rows(
        "SELECT id, opts FROM repo_queue WHERE tag_id = ? AND active = 1 AND repo_id IS NULL "
        "AND (min_event <= ? OR at_event = ?)",
        (repo["tag_id"], repo["create_event"], repo["create_event"]),
    )
    for request in waiting:
        if has_options(repo, request["opts"]):
            ctx.db.run(
                "UPDATE repo_queue SET repo_id = ?, active = 0, update_time = ? WHERE id = ?",
                (repo["id"], ctx.now(), request["id"]),
            )


def point_latest(ctx: Context, repo: dict[str, Any]) -> None:
    """Let the link `latest` name the repo, unless it is special or a newer one is there."""
    if repo["custom_opts"] and not repo["dist"]:
        return
    sql = "SELECT custom_opts FROM repo WHERE tag_id = ? AND state = ? AND create_event > ? AND dist = ?"
    newer = ctx.db.rows(sql, (repo["tag_id"], READY, repo["create_event"], repo["dist"]))
    if any(repo["dist"] or not row["custom_opts"] for row in newer):
        return
    place = ctx.state.paths.distrepo if repo["dist"] else ctx.state.paths.repo
    latest = Path(place("latest", repo["tag_name"]))
    fresh = latest.with_name(f".latest-{repo['id']}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(str(repo["id"]))
    fresh.replace(latest)


@exported("repo.setState")
def repo_set_state(ctx: Context, repo_id: int, state: int) -> None:
    """Any state: permission `repo`."""
    ctx.assert_perm("repo")
    set_state(ctx, repo_id, state)


@exported("repoExpire")
def repo_expire(ctx: Context, repo_id: int) -> None:
    """Use it no more for new builds."""
    ctx.assert_perm("repo")
    set_state(ctx, repo_id, koji.REPO_STATES["EXPIRED"])


@exported("repoProblem")
def repo_problem(ctx: Context, repo_id: int) -> None:
    """It is broken."""
    ctx.assert_perm("repo")
    set_state(ctx, repo_id, koji.REPO_STATES["PROBLEM"])


@exported("repoDelete")
def repo_delete(ctx: Context, repo_id: int) -> int:
    """Mark it deleted unless buildroots use it; how many do. Its files stay."""
    ctx.assert_perm("repo")
    found = repo_references(ctx, repo_id)
    if not found:
        set_state(ctx, repo_id, DELETED)
    return len(found)


@exported("repo.references")
def repo_references(ctx: Context, repo_id: int) -> list[dict[str, Any]]:
    """Buildroots that use it."""
    return ctx.db.rows(
        "SELECT id, host_id, task_id, create_event, state FROM buildroot WHERE repo_id = ? AND retire_event IS NULL "
        "AND state != ?",
        (convert(repo_id, int), BUILDROOT_EXPIRED),
    )


@exported("repo.updateEndEvents")
def update_end_events(ctx: Context) -> None:
    """Nothing to do: which change of the tag ended a repo's time is looked up when somebody asks."""
    ctx.assert_perm("repo")
