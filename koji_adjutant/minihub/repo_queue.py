"""Requests for repos, and the newRepo tasks that answer them (kojihub/repos.py).

The real hub needs kojira to look after the queue; here the scheduler does at each of its rounds.
"""

from __future__ import annotations

import json
from typing import Any

import koji

from koji_adjutant.minihub import tasks
from koji_adjutant.minihub.changes import get_event, get_last_event, tag_first_change_event, tag_last_change_event
from koji_adjutant.minihub.context import Context, Session, State, convert, exported, isoformat
from koji_adjutant.minihub.repo_options import checked_options
from koji_adjutant.minihub.repos import has_options, repo_get, repo_info
from koji_adjutant.minihub.tags import strict_tag
from koji_adjutant.minihub.views import view

_SQL = """
SELECT repo_queue.id, repo_queue.create_time AS create_ts, repo_queue.owner, users.name AS owner_name,
    repo_queue.priority, tag_id, tag.name AS tag_name, at_event, min_event, opts, update_time AS update_ts, active,
    task_id, task.state AS task_state, tries, repo_id
FROM repo_queue JOIN users ON users.id = repo_queue.owner JOIN tag ON tag.id = tag_id
    LEFT JOIN task ON task.id = task_id
"""
_FIELDS = (
    "id", "tag_id", "at_event", "min_event", "create_ts", "task_id", "tries", "repo_id", "opts", "active", "update_ts",
)  # fmt: skip
_QUEUE_USER = "kojira"
_REPO_PRIORITY = 15


def _described(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"create_time": isoformat(row["create_ts"]), "update_time": isoformat(row["update_ts"])}


@exported("repo.request")
def repo_request(
    ctx: Context, tag: Any, min_event: Any = None, at_event: int | None = None, opts: Any = None,
    priority: int | None = None, force: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """A repo there is, or a request for one: {repo, request, duplicate}."""
    ctx.assert_login()
    info, options = strict_tag(ctx, tag), checked_options(opts, strict=True)
    if options.get("maven") and not ctx.state.options.enable_maven:
        raise koji.GenericError("Maven support not enabled")
    if at_event is not None and min_event is not None:
        raise koji.ParameterError("The min_event and at_event options conflict")
    at_event = _event(ctx, at_event)
    least = None if at_event is not None else _least_event(ctx, info, min_event)
    place = _priority(ctx, priority)
    if not force:
        found = repo_get(ctx, info["id"], least, at_event, options)
        if found is not None:
            return {"repo": found, "request": None, "duplicate": False}
    known = _same_request(ctx, info["id"], least, at_event, options)
    if known is not None:
        if known["priority"] > place:
            ctx.db.run("UPDATE repo_queue SET priority = ? WHERE id = ?", (place, known["id"]))
            known["priority"] = place
        return {"repo": None, "request": known, "duplicate": True}
    request_id = ctx.db.insert(
        "repo_queue", owner=ctx.session.user_id, priority=place, tag_id=info["id"], at_event=at_event,
        min_event=least, opts=json.dumps(options), create_time=ctx.now(), update_time=ctx.now(),
    )  # fmt: skip
    return {"repo": None, "request": _request(ctx, request_id), "duplicate": False}


def _event(ctx: Context, event: Any) -> int | None:
    if event is None:
        return None
    if get_event(ctx, event, strict=False) is None:
        raise koji.ParameterError(f"Invalid event: {event}")
    return int(event)


def _least_event(ctx: Context, tag: dict[str, Any], min_event: Any) -> int:
    """The event a repo must not be older than; without a wish the tag's last change, less the lag that is allowed."""
    last = tag_last_change_event(ctx, tag["id"]) or 0
    if min_event == "last":
        return last
    if min_event is not None:
        return _event(ctx, min_event) or 0
    lag = tag["extra"].get("repo.lag")
    lag = ctx.state.options.repo_lag if not isinstance(lag, int) else lag
    base_ts, window = ctx.now() - lag, ctx.state.options.repo_lag_window
    base = get_last_event(ctx, base_ts // window * window if window else base_ts, strict=False) if lag else None
    if not lag:
        return last
    return min(last, base["id"] if base else tag_first_change_event(ctx, tag["id"]) or 0)


def _priority(ctx: Context, priority: int | None) -> int:
    relative = convert(priority or 0, int)
    if relative < 0 and not ctx.has_perm("admin"):
        raise koji.ActionNotAllowed("only admins may create high-priority requests")
    return int(koji.PRIO_DEFAULT) + int(relative)


def _same_request(
    ctx: Context, tag_id: int, min_event: int | None, at_event: int | None, options: dict[str, bool]
) -> dict[str, Any] | None:
    clause = "at_event = ?" if at_event is not None else "min_event >= ?"
    sql = f"{_SQL} WHERE tag_id = ? AND active = 1 AND {clause} ORDER BY repo_queue.priority, repo_queue.id"
    rows = ctx.db.rows(sql, (tag_id, min_event if at_event is None else at_event))
    return next((_described(row) for row in rows if row["opts"] == options), None)


def _request(ctx: Context, request_id: Any) -> dict[str, Any]:
    row = ctx.db.row(f"{_SQL} WHERE repo_queue.id = ?", (convert(request_id, int),))
    if row is None:
        raise koji.GenericError("No such request")
    return _described(row)


@exported("repo.checkRequest")
def check_request(ctx: Context, req_id: int) -> dict[str, Any]:
    """What has become of a request."""
    request = _request(ctx, req_id)
    found: dict[str, Any] = {"repo": None, "request": request}
    if request["repo_id"]:
        found["repo"] = repo_info(ctx, request["repo_id"])
    elif request["task_id"]:
        found["task"] = tasks.task_info(ctx.state, request["task_id"])
    return found


@exported("repo.setRequestPriority")
def set_request_priority(ctx: Context, req_id: int, priority: int) -> None:
    """Change the place in the queue: administrators."""
    ctx.assert_perm("admin")
    ctx.db.run("UPDATE repo_queue SET priority = ? WHERE id = ?", (convert(priority, int), convert(req_id, int)))


@exported("repo.queryQueue")
def query_queue(ctx: Context, clauses: Any = None, fields: Any = None, opts: Any = None) -> Any:
    """The queue."""
    rows = (_described(row) for row in ctx.db.rows(f"{_SQL} ORDER BY repo_queue.id"))
    return view(rows, clauses, fields, opts, _FIELDS)


@exported("repo.checkQueue")
def check_queue_call(ctx: Context) -> None:
    """Look after the queue now: permission `repo`."""
    ctx.assert_perm("repo")
    check_queue(ctx)


@exported("repo.autoRequests")
def auto_requests(ctx: Context) -> None:
    """No repo is made that nobody asked for."""
    ctx.assert_perm("repo")


def look_after_queue(state: State) -> None:
    """A round without a caller: tasks are kojira's if there is such a user, else the administrator's."""
    if not state.db.value("SELECT 1 FROM repo_queue WHERE active = 1"):
        return
    admin = state.db.value("SELECT id FROM users WHERE name = 'admin'")
    check_queue(Context(state, Session(logged_in=True, user_id=admin, user_name="admin"), None))


def check_queue(ctx: Context) -> None:
    """Give waiting requests a task, and another one when it failed; not more than MaxRepoTasks at once."""
    sql = f"{_SQL} WHERE active = 1 AND repo_id IS NULL ORDER BY repo_queue.priority, repo_queue.id"
    waiting = ctx.db.rows(sql)
    running = 0
    for request in waiting:
        if request["task_id"] and not _ended(ctx, request):
            running += 1
    for request in waiting:
        if not request["task_id"] and request["active"] and running < ctx.state.options.max_repo_tasks:
            running += 1
            _update(ctx, request, task_id=_new_repo_task(ctx, request), tries=request["tries"] + 1)


def _ended(ctx: Context, request: dict[str, Any]) -> bool:
    """Whether the task of a request is of no use any more: then another one follows, or the request is given up."""
    if request["task_state"] not in tasks.FINISHED:
        return False
    repo = _repo_of(ctx, request) if request["task_state"] == tasks.CLOSED else None
    if repo is not None:
        request["active"] = False
        _update(ctx, request, repo_id=repo["id"], active=False)
    elif request["tries"] > ctx.state.options.repo_retries:
        request["active"] = False
        _update(ctx, request, active=False)
    else:
        request["task_id"] = None
        _update(ctx, request, task_id=None)
    return True


def _repo_of(ctx: Context, request: dict[str, Any]) -> dict[str, Any] | None:
    result = tasks.result_of(ctx.state, request["task_id"])
    repo = repo_info(ctx, result[0]) if isinstance(result, list) and result else None
    if repo is None or repo["tag_id"] != request["tag_id"] or repo["state"] != koji.REPO_STATES["READY"]:
        return None
    late = repo["create_event"] < (request["min_event"] or 0)
    elsewhere = request["at_event"] not in (None, repo["create_event"])
    return None if late or elsewhere or not has_options(repo, request["opts"]) else repo


def _update(ctx: Context, request: dict[str, Any], **changes: Any) -> None:
    names = ", ".join(f"{name} = ?" for name in changes)
    sql = f"UPDATE repo_queue SET {names}, update_time = ? WHERE id = ?"  # noqa: S608 - names of ours
    ctx.db.run(sql, (*changes.values(), ctx.now(), request["id"]))


def _new_repo_task(ctx: Context, request: dict[str, Any]) -> int:
    wishes = {"opts": checked_options(request["opts"])}
    if request["at_event"] is not None:
        wishes["event"] = request["at_event"]
    owner = ctx.db.value("SELECT id FROM users WHERE name = ?", (_QUEUE_USER,)) or ctx.session.user_id
    arguments = koji.encode_args({"id": request["tag_id"], "name": request["tag_name"]}, **wishes)
    return tasks.make_task(ctx, "newRepo", list(arguments), priority=_REPO_PRIORITY, channel="createrepo", owner=owner)
