"""Which hosts may not have which tasks, and why; and the scheduler's log.

A refusal is soft (it passes after SoftRefusalTimeout) or hard (as long as the task lives); a host says it, the scheduler
concludes it from a task left unopened, or the hub knows beforehand that the arches do not fit (contract 2.4).
"""

from __future__ import annotations

from typing import Any

import koji
import koji.tasks

from koji_adjutant.minihub.context import Context, State, convert, exported
from koji_adjutant.minihub.tags import get_build_config, get_tag
from koji_adjutant.minihub.views import view

# Method -> parameter that names the build tag.
_NOARCH_METHODS = {
    "buildArch": "root",
    "buildMaven": "build_tag",
    "rebuildSRPM": "build_tag",
    "buildSRPMFromSCM": "build_tag",
}


def log(state: State, message: str, *, task_id: int | None = None, host_id: int | None = None) -> None:
    """One line of the scheduler's log (`koji scheduler-logs`)."""
    state.db.insert("scheduler_log_messages", task_id=task_id, host_id=host_id, msg=message, msg_time=state.now())


def refuse(state: State, host_id: int, task_id: int, *, soft: bool, message: str, by_host: bool = False) -> None:
    """Record it; a second refusal of the same host and task replaces the first."""
    state.db.run(
        "INSERT OR REPLACE INTO scheduler_task_refusals (task_id, host_id, soft, by_host, msg, time) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (task_id, host_id, soft, by_host, message, state.now()),
    )
    log(state, f"Host refused task: {message}", task_id=task_id, host_id=host_id)


def live_refusals(state: State) -> dict[int, set[int]]:
    """Task id -> hosts that may not have it; forgets what has passed."""
    state.db.run(
        "DELETE FROM scheduler_task_refusals WHERE (soft = 1 AND time < ?) "
        "OR task_id IN (SELECT id FROM task WHERE state NOT IN (?, ?, ?))",
        (
            state.now() - state.options.soft_refusal_timeout,
            *(koji.TASK_STATES[name] for name in ("FREE", "OPEN", "ASSIGNED")),
        ),
    )
    found: dict[int, set[int]] = {}
    for row in state.db.rows("SELECT task_id, host_id FROM scheduler_task_refusals"):
        found.setdefault(row["task_id"], set()).add(row["host_id"])
    return found


def refuse_wrong_arches(ctx: Context, task: dict[str, Any]) -> None:
    """Hard refusals, beforehand, of the hosts that cannot build a noarch task for its tag."""
    parameter = _NOARCH_METHODS.get(task["method"])
    if task["arch"] != "noarch" or parameter is None:
        return
    try:
        wanted = koji.tasks.parse_task_params(task["method"], task["request"])[parameter]
    except (koji.GenericError, TypeError, KeyError):
        return  # the task itself will say what is wrong with its parameters
    tag = get_tag(ctx, wanted) if isinstance(wanted, (str, int)) else None
    arches = (
        set()
        if tag is None
        else {koji.canonArch(a) for a in (get_build_config(ctx, tag["id"])["arches"] or "").split()}
    )
    if not arches:
        return
    sql = (
        "SELECT host.id, arches FROM host JOIN host_channels ON host_id = host.id "
        "WHERE channel_id = ? AND enabled = 1 ORDER BY host.id"
    )
    for host in ctx.db.rows(sql, (task["channel_id"],)):
        if not arches & set((host["arches"] or "").split()):
            refuse(ctx.state, host["id"], task["id"], soft=False, message="automatic arch refusal")


@exported("scheduler.getTaskRefusals")
def get_task_refusals(ctx: Context, clauses: Any = None, fields: Any = None) -> Any:
    """Refusals on record."""
    sql = (
        "SELECT r.*, r.time AS ts, task.method, task.state, task.owner, task.arch, task.channel_id, "
        "host.name AS host_name, host.ready AS host_ready FROM scheduler_task_refusals r "
        "JOIN task ON task.id = r.task_id JOIN host ON host.id = r.host_id ORDER BY r.id"
    )
    return view(ctx.db.rows(sql), clauses, fields, None, ("id", "task_id", "host_id", "by_host", "soft", "msg", "ts"))


@exported("scheduler.getTaskRuns")
def get_task_runs(ctx: Context, clauses: Any = None, fields: Any = None, opts: Any = None) -> Any:
    """Assignments the scheduler made."""
    sql = (
        "SELECT r.id, r.task_id, r.host_id, r.active, r.create_time AS create_ts, task.method, task.state, task.owner, "
        "task.arch, task.channel_id, host.name AS host_name, host.ready AS host_ready, task.start_time AS start_ts, "
        "task.completion_time AS completion_ts FROM scheduler_task_runs r "
        "JOIN task ON task.id = r.task_id JOIN host ON host.id = r.host_id ORDER BY r.id"
    )
    return view(ctx.db.rows(sql), clauses, fields, opts, ("id", "task_id", "host_id", "active", "create_ts"))


@exported("scheduler.getLogMessages")
def get_log_messages(ctx: Context, clauses: Any = None, fields: Any = None, opts: Any = None) -> Any:
    """The scheduler's log."""
    sql = (
        "SELECT m.id, m.task_id, m.host_id, m.msg, m.msg_time AS msg_ts, task.method, task.state, task.owner, task.arch, "
        "task.channel_id, host.name AS host_name, host.ready AS host_ready FROM scheduler_log_messages m "
        "LEFT JOIN task ON task.id = m.task_id LEFT JOIN host ON host.id = m.host_id ORDER BY m.id"
    )
    return view(ctx.db.rows(sql), clauses, fields, opts, ("id", "task_id", "host_id", "msg", "msg_ts"))


@exported("scheduler.getHostData")
def get_host_data(ctx: Context, hostID: int | None = None) -> list[dict[str, Any]]:  # noqa: N803 - the hub's name for it
    """What hosts said of themselves at their last check-in (JSON text, as the real hub hands it out)."""
    rows = ctx.db.rows("SELECT host_id, CAST(data AS TEXT) AS data FROM scheduler_host_data ORDER BY host_id")
    return [row for row in rows if hostID is None or row["host_id"] == convert(hostID, int)]
