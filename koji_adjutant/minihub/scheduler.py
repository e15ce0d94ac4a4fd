"""Who gets which task: kojihub/scheduler.py on one page (contract 2.4).

It runs when a host asks for its tasks and has none, at most every RunInterval, or when an administrator says so. It
gives FREE tasks to ready hosts of the same channel and arch with room for them, least loaded first, and takes back what
was not opened (AssignTimeout) or whose host went silent (HostTimeout). A task without a run entry was assigned by a person
and is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import koji

from koji_adjutant.minihub import repo_queue, tasks
from koji_adjutant.minihub.context import Context, State, convert, exported
from koji_adjutant.minihub.hosts import get_host
from koji_adjutant.minihub.refusals import live_refusals, log, refuse


@dataclass
class Candidate:
    """A host while tasks are dealt out."""

    id: int
    ready: bool
    capacity: float
    max_jobs: int
    bins: set[tuple[int, str]]
    update_ts: float | None
    load: float = 0.0
    tasks: int = 0
    demand: float = 0.0

    @property
    def rank(self) -> float:
        return self.load + self.tasks + self.demand

    def has_room(self, weight: float, overcommit: float) -> bool:
        return self.tasks < self.max_jobs and self.capacity - self.load > max(0.0, weight - overcommit)


@dataclass
class Wanted:
    """A FREE task and the hosts that could take it."""

    id: int
    weight: float
    hosts: list[Candidate] = field(default_factory=list)


def run(state: State, *, force: bool = False) -> bool:
    """One pass; False when the last one was less than RunInterval ago."""
    last = state.db.data("last_run_ts") or 0.0
    if not force and state.now() - last < state.options.run_interval:
        return False
    state.db.set_data("last_run_ts", state.now())
    repo_queue.look_after_queue(state)
    hosts = _hosts(state)
    active = state.db.rows(
        "SELECT id, state, host_id, weight, waiting FROM task WHERE state IN (?, ?) AND host_id IS NOT NULL",
        (tasks.ASSIGNED, tasks.OPEN),
    )
    _drop_silent_hosts(state, hosts)
    _count_load(hosts, active)
    _deal(state, hosts)
    _take_back(state, hosts, active)
    return True


def _hosts(state: State) -> dict[int, Candidate]:
    members: dict[int, list[int]] = {}
    sql = "SELECT host_id, channel_id FROM host_channels JOIN channels ON channels.id = channel_id WHERE enabled = 1"
    for row in state.db.rows(sql):
        members.setdefault(row["host_id"], []).append(row["channel_id"])
    sql = "SELECT host.*, data FROM host LEFT JOIN scheduler_host_data ON host_id = host.id WHERE enabled = 1"
    return {
        row["id"]: Candidate(
            id=row["id"],
            ready=row["ready"],
            capacity=row["capacity"],
            max_jobs=(row["data"] or {}).get("maxjobs") or state.options.max_jobs,
            bins={(c, a) for c in members.get(row["id"], ()) for a in [*(row["arches"] or "").split(), "noarch"]},
            update_ts=row["update_time"],
        )
        for row in state.db.rows(sql)
    }


def _drop_silent_hosts(state: State, hosts: dict[int, Candidate]) -> None:
    for host in hosts.values():
        if host.ready and (host.update_ts is None or state.now() - host.update_ts > state.options.ready_timeout):
            host.ready = False
            state.db.run("UPDATE host SET ready = 0 WHERE id = ?", (host.id,))
            log(state, "Marking host not ready", host_id=host.id)


def _count_load(hosts: dict[int, Candidate], active: list[dict[str, Any]]) -> None:
    for task in active:
        host = hosts.get(task["host_id"])
        if host is not None:
            host.load += 0.0 if task["waiting"] else task["weight"]
            host.tasks += 1


def _options(state: State, hosts: dict[int, Candidate]) -> list[Wanted]:
    refused = live_refusals(state)
    sql = "SELECT id, weight, channel_id, arch FROM task WHERE state = ? ORDER BY priority, create_time, id LIMIT 1000"
    found = []
    for row in state.db.rows(sql, (tasks.FREE,)):
        fit = [
            host
            for host in hosts.values()
            if host.ready
            and (row["channel_id"], row["arch"]) in host.bins
            and host.has_room(row["weight"], state.options.capacity_overcommit)
            and host.id not in refused.get(row["id"], ())
        ]
        for host in fit:
            host.demand += row["weight"] / len(fit)
        found.append(Wanted(row["id"], row["weight"], fit))
    return found


def _deal(state: State, hosts: dict[int, Candidate]) -> None:
    wanted = _options(state, hosts)
    total = sum(host.demand for host in hosts.values())
    for host in hosts.values():
        host.demand = host.demand / total if total else 0.0
    for task in wanted:
        for host in sorted(task.hosts, key=lambda candidate: candidate.rank):
            if host.has_room(task.weight, state.options.capacity_overcommit):
                assign(state, task.id, host.id)
                host.load += task.weight
                host.tasks += 1
                break


def _take_back(state: State, hosts: dict[int, Candidate], active: list[dict[str, Any]]) -> None:
    sql = "SELECT min(create_time) FROM scheduler_task_runs WHERE task_id = ? AND active = 1"
    for task in active:
        host = hosts.get(task["host_id"])
        assigned_ts = state.db.value(sql, (task["id"],))
        if host is None or assigned_ts is None:
            continue
        if task["state"] == tasks.ASSIGNED and state.now() - assigned_ts > state.options.assign_timeout:
            if host.update_ts and host.update_ts > assigned_ts:
                refuse(state, host.id, task["id"], soft=True, message="assignment timeout")
            log(state, "Task assignment timeout", task_id=task["id"], host_id=host.id)
            tasks.free(state, task["id"])
        elif task["state"] == tasks.OPEN and state.now() - (host.update_ts or assigned_ts) > state.options.host_timeout:
            log(state, "Freeing task from unresponsive host", task_id=task["id"], host_id=host.id)
            tasks.free(state, task["id"])
    state.db.run(
        "UPDATE scheduler_task_runs SET active = 0 WHERE active = 1 "
        "AND task_id NOT IN (SELECT id FROM task WHERE state IN (?, ?))",
        (tasks.OPEN, tasks.ASSIGNED),
    )


def assign(state: State, task_id: int, host_id: int, *, force: bool = False, override: bool = False) -> bool:
    """Assign, with a run entry unless a person overrides the scheduler."""
    if not tasks.assign(state, task_id, host_id, force=force):
        log(state, "Assignment failed", task_id=task_id, host_id=host_id)
        return False
    log(state, "Assigning task (override)" if override else "Assigning task", task_id=task_id, host_id=host_id)
    state.db.run("UPDATE scheduler_task_runs SET active = 0 WHERE task_id = ? AND active = 1", (task_id,))
    if not override:
        state.db.insert("scheduler_task_runs", task_id=task_id, host_id=host_id, create_time=state.now())
    return True


@exported("assignTask")
def assign_task(ctx: Context, task_id: int, host: Any, force: bool = False, override: bool = False) -> bool:
    """Give a task to a host by hand."""
    found = get_host(ctx, host, strict=True)
    ctx.assert_perm("admin")
    assert found is not None
    return assign(ctx.state, convert(task_id, int), found["id"], force=bool(force), override=override)


@exported("scheduler.doRun")
def do_run(ctx: Context, force: bool = False) -> bool:
    """Run now."""
    ctx.assert_perm("admin")
    return run(ctx.state, force=bool(force))


def tasks_for_host(state: State, host_id: int) -> list[dict[str, Any]]:
    """Tasks ASSIGNED to the host, by priority; when there are none the scheduler gets a chance first."""
    sql = (
        "SELECT id, state, channel_id, host_id, arch, method, priority, create_time AS create_ts FROM task "
        "WHERE host_id = ? AND state = ? ORDER BY priority, create_time"
    )
    values = (host_id, koji.TASK_STATES["ASSIGNED"])
    found = state.db.rows(sql, values)
    if not found:
        run(state)
        found = state.db.rows(sql, values)
    return found
