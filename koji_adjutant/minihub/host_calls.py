"""The `host.*` calls of a builder: check in, take, wait, close (contract 2, 7.1).

Every one needs a user that is a host and the exclusive session, and most of them a task this host holds OPEN.
"""

from __future__ import annotations

import json
from typing import Any

import koji

from koji_adjutant.minihub import refusals, results, scheduler
from koji_adjutant.minihub import tasks as task_life
from koji_adjutant.minihub.context import Context, convert, exported
from koji_adjutant.minihub.hosts import get_host, list_channels


def verified_host(ctx: Context) -> int:
    """Id of the calling host; AuthError for anybody else and for a session without the lock."""
    host_id = None
    if ctx.session.user_id is not None:
        host_id = ctx.db.value("SELECT id FROM host WHERE user_id = ?", (ctx.session.user_id,))
    if host_id is None and ctx.session.logged_in:
        raise koji.AuthError(f"User {ctx.session.user_id} is not a host")
    if host_id is None:
        raise koji.AuthError("Not logged-in")
    if not ctx.session.exclusive:
        raise koji.AuthError("This method requires an exclusive session")
    return int(host_id)


def verified_task(ctx: Context, task_id: Any) -> tuple[int, int]:
    """Ids of the calling host and of the task, which it holds OPEN."""
    host_id = verified_host(ctx)
    wanted = convert(task_id, int)
    task_life.assert_holds(ctx.state, wanted, host_id)
    return host_id, wanted


@exported("host.getID")
def get_id(ctx: Context) -> int:
    """Who am I."""
    return verified_host(ctx)


@exported("host.getHost")
def get_own_host(ctx: Context) -> dict[str, Any] | None:
    """The caller's entry."""
    return get_host(ctx, verified_host(ctx))


@exported("host.isEnabled")
def is_enabled(ctx: Context) -> bool:
    """Whether the caller may have task_life."""
    host = get_own_host(ctx)
    return bool(host and host["enabled"])


def _set_data(ctx: Context, host_id: int, data: Any) -> None:
    if not isinstance(data, dict):
        raise koji.ParameterError("Host data should be a dictionary")
    ctx.db.run("INSERT OR REPLACE INTO scheduler_host_data (host_id, data) VALUES (?, ?)", (host_id, json.dumps(data)))


@exported("host.updateHost")
def update_host(ctx: Context, task_load: float, ready: bool, data: Any = None) -> None:
    """The check-in."""
    host_id = verified_host(ctx)
    ctx.db.run(
        "UPDATE host SET task_load = ?, ready = ?, update_time = ? WHERE id = ?",
        (float(task_load), bool(ready), ctx.now(), host_id),
    )
    if data is not None:
        _set_data(ctx, host_id, data)


@exported("host.setHostData")
def set_host_data(ctx: Context, hostdata: Any) -> None:
    """Data for the scheduler, without a check-in."""
    _set_data(ctx, verified_host(ctx), json.loads(hostdata) if isinstance(hostdata, str) else hostdata)


@exported("host.getTasks")
def get_tasks(ctx: Context) -> list[dict[str, Any]]:
    """Tasks assigned to the caller."""
    return scheduler.tasks_for_host(ctx.state, verified_host(ctx))


@exported("host.getLoadData")
def get_load_data(ctx: Context) -> list[Any]:
    """The old form of getTasks."""
    host = get_own_host(ctx)
    assert host is not None
    host["channels"] = [channel["id"] for channel in list_channels(ctx, host["id"])]
    return [[host], scheduler.tasks_for_host(ctx.state, host["id"])]


@exported("host.getHostTasks")
def get_host_tasks(ctx: Context) -> list[dict[str, Any]]:
    """OPEN tasks of the caller; `alert` when a child that is waited for has finished."""
    found = ctx.db.rows(
        "SELECT id, waiting, weight FROM task WHERE host_id = ? AND state = ?", (verified_host(ctx), task_life.OPEN)
    )
    for row in found:
        if row["waiting"] and awaited_children(ctx, row["id"])[0]:
            row["alert"] = True
    return found


@exported("host.openTask")
def open_task(ctx: Context, task_id: int) -> dict[str, Any] | None:
    """Take a task; None when it went elsewhere."""
    return task_life.open_task(ctx.state, convert(task_id, int), verified_host(ctx))


@exported("host.closeTask")
def close_task(ctx: Context, task_id: int, response: str) -> None:
    """CLOSED, with a result whose files are there."""
    _host, wanted = verified_task(ctx, task_id)
    results.check(ctx.state, task_life.existing(ctx.state, wanted)["method"], response)
    task_life.finish(ctx.state, wanted, response, failed=False)


@exported("host.failTask")
def fail_task(ctx: Context, task_id: int, response: str) -> None:
    """FAILED, with a fault."""
    _host, wanted = verified_task(ctx, task_id)
    task_life.finish(ctx.state, wanted, response, failed=True)


@exported("host.freeTasks")
def free_tasks(ctx: Context, tasks: list[int]) -> None:
    """Give tasks back; those that are not the caller's any more are passed over."""
    host_id = verified_host(ctx)
    for task_id in tasks:
        if task_life.holds(ctx.state, task_id, host_id):
            task_life.free(ctx.state, task_id)


@exported("host.setTaskWeight")
def set_task_weight(ctx: Context, task_id: int, weight: float) -> None:
    """Load a task means."""
    _host, wanted = verified_task(ctx, task_id)
    ctx.db.run("UPDATE task SET weight = ? WHERE id = ?", (convert(weight, float), wanted))


@exported("host.refuseTask")
def refuse_task(ctx: Context, task_id: int, soft: bool = True, msg: str = "") -> None:
    """Give a task back for good (hard) or for a while (soft); ignored when it is not the caller's."""
    host_id = verified_host(ctx)
    info = task_life.existing(ctx.state, task_id)
    if info["host_id"] != host_id:
        return
    refusals.refuse(ctx.state, host_id, info["id"], soft=bool(soft), message=str(msg), by_host=True)
    task_life.free(ctx.state, info["id"])


@exported("host.subtask")
def subtask(ctx: Context, method: str, arglist: Any, parent: int, **opts: Any) -> int:
    """A child of an OPEN task; the same label gives the child that is already there."""
    _host, wanted = verified_task(ctx, parent)
    if "owner" in opts:
        raise koji.ActionNotAllowed("The owner option is not allowed here")
    if "label" in opts:
        known = ctx.db.value("SELECT id FROM task WHERE parent = ? AND label = ?", (wanted, opts["label"]))
        if known:
            return int(known)
    if "kwargs" in opts:
        arglist = koji.encode_args(*arglist, **opts.pop("kwargs"))
    return task_life.make_task(ctx, method, arglist, **(opts | {"parent": wanted}))


@exported("host.subtask2")
def subtask2(ctx: Context, parent: int, taskopts: dict[str, Any], method: str, *args: Any, **opts: Any) -> int:
    """The same, with the child's parameters spread out."""
    return subtask(ctx, method, koji.encode_args(*args, **opts), parent, **taskopts)


def awaited_children(ctx: Context, parent: int) -> tuple[list[int], list[int]]:
    """Awaited children, finished and unfinished."""
    found = ctx.db.rows("SELECT id, state FROM task WHERE parent = ? AND awaited = 1 ORDER BY id", (parent,))
    finished = [row["id"] for row in found if row["state"] in task_life.FINISHED]
    return finished, [row["id"] for row in found if row["state"] not in task_life.FINISHED]


@exported("host.taskSetWait")
def task_set_wait(ctx: Context, parent: int, tasks: list[int] | None) -> None:
    """The parent waits, for these children (None: all)."""
    verified_host(ctx)
    if tasks is not None and not isinstance(tasks, list):
        raise koji.ParameterError(f"Invalid type for value '{tasks}': {type(tasks)}, expected type {list}")
    ctx.db.run("UPDATE task SET waiting = 1 WHERE id = ?", (parent,))
    if tasks is None:
        ctx.db.run("UPDATE task SET awaited = 1 WHERE parent = ?", (parent,))
    elif tasks:
        ctx.db.run("UPDATE task SET awaited = 0 WHERE parent = ? AND awaited = 1", (parent,))
        for child in tasks:
            ctx.db.run("UPDATE task SET awaited = 1 WHERE parent = ? AND id = ?", (parent, child))


@exported("host.taskWait")
def task_wait(ctx: Context, parent: int) -> list[list[int]]:
    """[finished, unfinished] awaited children; the finished ones are awaited no more."""
    verified_host(ctx)
    finished, unfinished = awaited_children(ctx, parent)
    for child in finished:
        ctx.db.run("UPDATE task SET awaited = 0 WHERE id = ?", (child,))
    return [finished, unfinished]


@exported("host.taskWaitResults")
def task_wait_results(
    ctx: Context, parent: int, tasks: list[int] | None, canfail: list[int] | None = None
) -> list[list[Any]]:
    """[id, result] of finished children, which ends the wait; raises the fault of a child not in `canfail`."""
    verified_host(ctx)
    ctx.db.run("UPDATE task SET waiting = 0 WHERE id = ?", (parent,))
    ctx.db.run("UPDATE task SET awaited = 0 WHERE parent = ?", (parent,))
    wanted = tasks
    if wanted is None:
        found = ctx.db.rows("SELECT id, state FROM task WHERE parent = ? ORDER BY id", (parent,))
        wanted = [row["id"] for row in found if row["state"] in task_life.FINISHED]
    return [[child, _child_result(ctx, child, may_fail=child in (canfail or ()))] for child in wanted]


def _child_result(ctx: Context, child: int, *, may_fail: bool) -> Any:
    try:
        return task_life.result_of(ctx.state, child, raise_fault=not may_fail)
    except koji.GenericError as error:
        if may_fail and task_life.existing(ctx.state, child)["state"] == task_life.CANCELED:
            return {"faultCode": error.faultCode, "faultString": str(error)}
        raise
