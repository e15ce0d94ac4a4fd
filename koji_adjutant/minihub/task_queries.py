# ruff: noqa: N803 - signatures are the hub's API
"""What people and parents ask about tasks, and what they may do to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import koji
import koji.xmlrpcplus

from koji_adjutant.minihub import cancels, tasks
from koji_adjutant.minihub.context import Context, apply_query_options, convert, exported
from koji_adjutant.minihub.database import marks


@exported("getTaskInfo")
def get_task_info(ctx: Context, task_id: Any, request: bool = False, strict: bool = False) -> Any:
    """A task or a list of tasks; None for an unknown id unless strict."""
    if isinstance(task_id, (list, tuple)):
        return [tasks.task_info(ctx.state, one, strict=strict, request=request) for one in task_id]
    return tasks.task_info(ctx.state, task_id, strict=strict, request=request)


@exported("getTaskRequest")
def get_task_request(ctx: Context, taskId: int) -> Any:
    """Parameters of a task."""
    return tasks.existing_request(ctx.state, taskId)


@exported("getTaskResult")
def get_task_result(ctx: Context, taskId: int, raise_fault: bool = True) -> Any:
    """Result of a finished task; a failed one's fault is raised."""
    return tasks.result_of(ctx.state, taskId, raise_fault=raise_fault)


@exported("taskFinished")
def task_finished(ctx: Context, taskId: int) -> bool:
    """Whether it has ended, one way or another."""
    return tasks.existing(ctx.state, taskId)["state"] in tasks.FINISHED


def _children(ctx: Context, task_id: int, *, request: bool) -> list[dict[str, Any]]:
    sql = f"SELECT {tasks.COLUMNS}, request FROM task WHERE parent = ? ORDER BY id"  # noqa: S608 - constant columns
    found = []
    for row in ctx.db.rows(sql, (task_id,)):
        stored = row.pop("request")
        found.append(tasks.described(row) | ({"request": tasks.decoded_request(stored)} if request else {}))
    return found


@exported("getTaskChildren")
def get_task_children(ctx: Context, task_id: int, request: bool = False, strict: bool = False) -> list[dict[str, Any]]:
    """Children of a task."""
    if strict:
        tasks.existing(ctx.state, task_id)
    return _children(ctx, convert(task_id, int), request=request)


@exported("getTaskDescendents")
def get_task_descendents(ctx: Context, task_id: int, request: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Task id (as text) -> children, for the whole tree."""
    tree: dict[str, list[dict[str, Any]]] = {}
    pending = [convert(task_id, int)]
    for member in pending:
        tree[str(member)] = _children(ctx, member, request=request)
        pending.extend(child["id"] for child in tree[str(member)])
    return tree


def _list_clause(column: str, value: Any, *, negated: bool) -> tuple[str, list[Any]]:
    if value is None:
        return f"task.{column} IS {'NOT ' if negated else ''}NULL", []
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return f"task.{column} {'NOT ' if negated else ''}IN ({marks(values)})", values


def _timestamp(value: Any) -> float:
    if not isinstance(value, str):
        return float(value)
    return datetime.fromisoformat(value).timestamp()


def _conditions(options: dict[str, Any]) -> tuple[str, list[Any]]:
    clauses, values = ["1 = 1"], []
    for column in ("arch", "state", "owner", "host_id", "channel_id", "parent", "method"):
        for name, negated in ((column, False), (f"not_{column}", True)):
            if name in options:
                clause, more = _list_clause(column, options[name], negated=negated)
                clauses.append(clause)
                values.extend(more)
    for prefix, column in (
        ("created", "create_time"), ("started", "start_time"), ("complete", "completion_time"),
        ("completed", "completion_time"),
    ):  # fmt: skip
        for suffix, sign in (("Before", "<"), ("After", ">")):
            if options.get(prefix + suffix) is not None:
                clauses.append(f"task.{column} {sign} ?")
                values.append(_timestamp(options[prefix + suffix]))
    return " AND ".join(clauses), values


def _decoded(document: str | None) -> Any:
    if not document:
        return document
    try:
        return list(koji.xmlrpcplus.loads(document)[0])
    except koji.xmlrpcplus.Fault as fault:
        return {"faultCode": fault.faultCode, "faultString": fault.faultString}


@exported("listTasks")
def list_tasks(ctx: Context, opts: dict[str, Any] | None = None, queryOpts: dict[str, Any] | None = None) -> Any:
    """Tasks by arch, state, owner, host, channel, parent, method and times; `decode` turns documents into data."""
    options = opts or {}
    where, values = _conditions(options)
    columns = ", ".join("task." + name.strip() for name in tasks.COLUMNS.split(","))
    sql = (
        f"SELECT {columns}, request, result, users.name AS owner_name, users.usertype AS owner_type "  # noqa: S608 - built from constants
        f"FROM task JOIN users ON users.id = task.owner WHERE {where} ORDER BY task.id"
    )
    found = [tasks.described(row) for row in ctx.db.rows(sql, values)]
    if options.get("decode"):
        for row in found:
            row["request"], row["result"] = _decoded(row["request"]), _decoded(row["result"])
    return apply_query_options(found, queryOpts)


def _assert_may_cancel(ctx: Context, task_id: int) -> None:
    row = ctx.db.row("SELECT owner FROM task WHERE id = ?", (convert(task_id, int),))
    if row is None:
        raise koji.GenericError(f"No such task: {task_id}")
    host_id = ctx.db.value("SELECT id FROM host WHERE user_id = ?", (ctx.session.user_id,))
    owner = ctx.session.user_id is not None and row["owner"] == ctx.session.user_id
    if not owner and not tasks.holds(ctx.state, task_id, host_id) and not ctx.has_perm("admin"):
        raise koji.ActionNotAllowed("Cannot cancel task, not owner")


@exported("cancelTask")
def cancel_task(ctx: Context, task_id: int, recurse: bool = True) -> None:
    """Cancel a task and its children: owner, host or administrator."""
    _assert_may_cancel(ctx, task_id)
    cancels.cancel(ctx, task_id, recurse=recurse)


@exported("cancelTaskFull")
def cancel_task_full(ctx: Context, task_id: int, strict: bool = True) -> None:
    """Cancel a whole tree: administrators."""
    ctx.assert_perm("admin")
    cancels.cancel_full(ctx, convert(task_id, int), strict=strict)


@exported("cancelTaskChildren")
def cancel_task_children(ctx: Context, task_id: int) -> None:
    """Cancel the children only."""
    ctx.assert_login()
    _assert_may_cancel(ctx, task_id)
    cancels.cancel_children(ctx, task_id)


@exported("freeTask")
def free_task(ctx: Context, task_id: int) -> None:
    """Take a task away from its host: administrators."""
    ctx.assert_perm("admin")
    tasks.free(ctx.state, task_id)


@exported("setTaskPriority")
def set_task_priority(ctx: Context, task_id: int, priority: int, recurse: bool = True) -> None:
    """Change the place in the queue: administrators."""
    ctx.assert_perm("admin")
    info = tasks.existing(ctx.state, task_id)
    if info["state"] in tasks.FINISHED:
        raise koji.GenericError("Finished task's priority can't be updated")
    tree = get_task_descendents(ctx, task_id) if recurse else {str(task_id): []}
    for member in tree:
        ctx.db.run("UPDATE task SET priority = ? WHERE id = ?", (convert(priority, int), int(member)))


@exported("resubmitTask")
def resubmit_task(ctx: Context, taskID: int) -> int:
    """The same task again: owner or administrator."""
    ctx.assert_login()
    info = tasks.existing(ctx.state, taskID)
    if info["state"] not in (tasks.CANCELED, tasks.FAILED):
        raise koji.GenericError("only canceled or failed tasks may be resubmitted")
    if info["parent"] is not None:
        raise koji.GenericError("only top-level tasks may be resubmitted")
    if ctx.session.user_id != info["owner"] and not ctx.has_perm("admin"):
        raise koji.GenericError("only the task owner or an admin may resubmit a task")
    request = tasks.existing_request(ctx.state, taskID)
    channel = {"id": info["channel_id"]}
    return tasks.make_task(ctx, info["method"], request, arch=info["arch"], channel=channel, priority=info["priority"])
