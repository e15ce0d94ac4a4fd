"""The life of a task: made, assigned, opened, waited for, closed, failed, freed, cancelled.

The states and who may change them are kojihub's `Task` (contract 2.9, 7.1): only the host that holds a task OPEN may
work on it; whatever else happens to it happens by its owner, an administrator or the scheduler.
"""

from __future__ import annotations

from typing import Any

import koji
import koji.xmlrpcplus

from koji_adjutant.minihub import refusals
from koji_adjutant.minihub.context import Context, State, convert, exported, isoformat, require
from koji_adjutant.minihub.hosts import get_channel, get_host

FREE, OPEN, CLOSED, CANCELED, ASSIGNED, FAILED = (
    koji.TASK_STATES[name] for name in ("FREE", "OPEN", "CLOSED", "CANCELED", "ASSIGNED", "FAILED")
)
FINISHED = (CLOSED, CANCELED, FAILED)

COLUMNS = (
    "id, state, create_time AS create_ts, start_time AS start_ts, completion_time AS completion_ts, channel_id, "
    "host_id, parent, label, waiting, awaited, owner, method, arch, priority, weight"
)


def described(row: dict[str, Any]) -> dict[str, Any]:
    """A task row as the API shows it: each time twice."""
    for name in ("create", "start", "completion"):
        row[f"{name}_time"] = isoformat(row[f"{name}_ts"])
    return row


def decoded_request(request: str) -> list[Any]:
    """Parameters of a stored request."""
    return list(koji.xmlrpcplus.loads(request)[0])


def task_info(state: State, task_id: Any, *, strict: bool = True, request: bool = False) -> dict[str, Any] | None:
    """A task; None (or the fault, if strict) when there is none."""
    sql = f"SELECT {COLUMNS}, request FROM task WHERE id = ?"  # noqa: S608 - constant columns
    row = state.db.row(sql, (convert(task_id, int),))
    if row is None:
        return require(None) if strict else None
    stored = row.pop("request")
    if request:
        row["request"] = decoded_request(stored)
    return described(row)


def existing(state: State, task_id: Any) -> dict[str, Any]:
    """A task that must be there."""
    info = task_info(state, task_id)
    assert info is not None
    return info


def existing_request(state: State, task_id: Any) -> list[Any]:
    """Parameters of a task that must be there."""
    return decoded_request(
        require(state.db.row("SELECT request FROM task WHERE id = ?", (convert(task_id, int),)))["request"]
    )


def holds(state: State, task_id: Any, host_id: int | None) -> bool:
    """Whether the host has the task OPEN; raises for an unknown task."""
    row = state.db.row("SELECT state, host_id FROM task WHERE id = ?", (convert(task_id, int),))
    if row is None:
        raise koji.GenericError(f"No such task: {task_id}")
    return host_id is not None and row["state"] == OPEN and row["host_id"] == host_id


def assert_holds(state: State, task_id: Any, host_id: int) -> None:
    """The one check of nearly every host call."""
    if not holds(state, task_id, host_id):
        raise koji.ActionNotAllowed(f"host {host_id} does not own task {task_id}")


def _takeable(info: dict[str, Any], host_id: int) -> bool:
    if info["state"] == FREE:
        return bool(info["host_id"] is None)
    return bool(info["state"] == ASSIGNED and info["host_id"] == host_id)


def assign(state: State, task_id: int, host_id: int, *, force: bool = False) -> bool:
    """ASSIGNED to the host; False when somebody else has it."""
    info = existing(state, task_id)
    if not force and not _takeable(info, host_id):
        return False
    state.db.run("UPDATE task SET state = ?, host_id = ? WHERE id = ?", (ASSIGNED, host_id, task_id))
    return True


def open_task(state: State, task_id: int, host_id: int) -> dict[str, Any] | None:
    """OPEN on the host, with its request as XML; None when somebody else has it. A FREE task may be opened too."""
    info = existing(state, task_id)
    if not _takeable(info, host_id):
        return None
    state.db.run(
        "UPDATE task SET state = ?, host_id = ?, start_time = ? WHERE id = ?", (OPEN, host_id, state.now(), task_id)
    )
    opened = existing(state, task_id)
    return opened | {"request": state.db.value("SELECT request FROM task WHERE id = ?", (task_id,))}


def free(state: State, task_id: Any) -> bool:
    """FREE again, without a host, whatever it was doing; raises when it has ended."""
    info = existing(state, task_id)
    if info["state"] in FINISHED:
        raise koji.GenericError(f"Cannot free task {info['id']}, state is {koji.TASK_STATES[info['state']]}")
    state.db.run("UPDATE task SET state = ?, host_id = NULL WHERE id = ?", (FREE, info["id"]))
    return True


def finish(state: State, task_id: int, result: str, *, failed: bool) -> None:
    """CLOSED or FAILED with its result document."""
    state.db.run(
        "UPDATE task SET result = ?, state = ?, completion_time = ? WHERE id = ?",
        (result, FAILED if failed else CLOSED, state.now(), task_id),
    )


def mark_canceled(state: State, task_id: int) -> None:
    """CANCELED; the caller has seen that it has not ended."""
    state.db.run("UPDATE task SET state = ?, completion_time = ? WHERE id = ?", (CANCELED, state.now(), task_id))


def result_of(state: State, task_id: Any, *, raise_fault: bool = True) -> Any:
    """The result; the task's fault is raised, or handed out as a dict."""
    row = state.db.row("SELECT state, result FROM task WHERE id = ?", (convert(task_id, int),))
    if row is None:
        raise koji.GenericError("No such task")
    if row["state"] == CANCELED:
        raise koji.GenericError(f"Task {task_id} is canceled")
    if row["state"] not in (CLOSED, FAILED):
        raise koji.GenericError(f"Task {task_id} is not finished")
    try:
        return koji.xmlrpcplus.loads(row["result"])[0][0]
    except koji.xmlrpcplus.Fault as fault:
        if raise_fault:
            raise
        return {"faultCode": fault.faultCode, "faultString": fault.faultString}


def _inherit(state: State, options: dict[str, Any]) -> dict[str, Any]:
    """Options with what a child takes from its parent, or a top-level task by default."""
    if options.get("parent") is None:
        return {"priority": koji.PRIO_DEFAULT, "arch": "noarch"} | options | {"label": None, "parent": None}
    parent = task_info(state, options["parent"], strict=False)
    if parent is None:
        raise koji.GenericError(f"Invalid parent task: {options['parent']}")
    if parent["state"] != OPEN:
        raise koji.GenericError(f"Parent task (id {options['parent']}) is not open")
    inherited = {name: parent[name] for name in ("owner", "arch", "channel_id")}
    return {"priority": parent["priority"] - 1, "label": None} | inherited | options


def _channel_id(ctx: Context, options: dict[str, Any]) -> int:
    """The default channel policy: the one asked for, else the parent's, else `default`."""
    if options.get("channel") is None:
        return int(options.get("channel_id") or 1)
    channel = get_channel(ctx, options["channel"])
    if channel is None:
        raise koji.GenericError(f"No such channel: {options['channel']}")
    if not channel["enabled"]:
        raise koji.GenericError(f"Channel {options['channel']} is disabled.")
    return int(channel["id"])


def make_task(ctx: Context, method: str, arglist: Any, **options: Any) -> int:
    """A new task; `assign` (host id or name) makes it ASSIGNED at once, without the scheduler."""
    chosen = _inherit(ctx.state, options)
    chosen.setdefault("owner", ctx.session.user_id)
    if chosen["owner"] is None:
        raise koji.GenericError("task must have an owner")
    host_id = None
    if chosen.get("assign") is not None:
        host = get_host(ctx, chosen["assign"], strict=True)
        assert host is not None
        host_id = host["id"]
    task_id = ctx.db.insert(
        "task",
        state=FREE if host_id is None else ASSIGNED,
        host_id=host_id,
        create_time=ctx.now(),
        channel_id=_channel_id(ctx, chosen),
        parent=chosen["parent"],
        label=chosen["label"],
        owner=chosen["owner"],
        method=method,
        request=koji.xmlrpcplus.dumps(tuple(arglist), methodname=method),
        arch=koji.parse_arches(chosen["arch"], strict=True, allow_none=True),
        priority=convert(chosen["priority"], int),
    )
    refusals.refuse_wrong_arches(ctx, existing(ctx.state, task_id) | {"request": list(arglist)})
    return task_id


@exported("makeTask")
def make_task_call(ctx: Context, method: str, arglist: Any, **opts: Any) -> int:
    """Make any task: administrators only."""
    ctx.assert_perm("admin")
    if "owner" in opts:
        raise koji.ActionNotAllowed("The owner option is not allowed here")
    return make_task(ctx, method, arglist, **opts)
