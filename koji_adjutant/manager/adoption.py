"""What becomes of the tasks that a daemon before us has left open (design section 5): one pure decision.

Nothing is freed, swept, expired or removed before this plan has been made and its adoptions have been started.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from koji_adjutant.manager.task_containers import FoundContainer


@dataclass(frozen=True)
class LeftOpen:
    """A task of this host that is open at the hub (`getHostTasks` and `getTaskInfo(request=True)`)."""

    task_id: int
    method: str
    host_id: int
    start_ts: float
    request: Any = None


@dataclass(frozen=True)
class LeftJournal:
    """A task directory as it was found. `problem`: why its journal cannot be used (missing, damaged, other format)."""

    task_id: int
    host_id: int | None = None
    start_ts: float | None = None
    problem: str = ""
    kept: bool = False
    """The root of a failed task that is still to be kept."""


@dataclass(frozen=True)
class GivenBack:
    """A task that cannot be adopted, and why."""

    task_id: int
    reason: str


@dataclass(frozen=True)
class AdoptionPlan:
    """What to do, in this order: adopt, then expire and remove what the others left, then free them."""

    adopt: tuple[LeftOpen, ...]
    give_back: tuple[GivenBack, ...]
    remove_containers: tuple[FoundContainer, ...]
    remove_directories: tuple[int, ...]


def plan_adoption(
    host_id: int,
    open_tasks: Iterable[LeftOpen],
    journals: Iterable[LeftJournal],
    containers: Iterable[FoundContainer],
    handled: Collection[str],
) -> AdoptionPlan:
    """Decide from the hub's open tasks, the journals and our containers. `handled`: methods that can run in a thread.

    A task is adopted only when host and `start_ts` of hub and journal are equal. Whether it has containers does not
    matter: a waiting parent has none. Containers of another run of an adopted task are removed.
    """
    by_task = {journal.task_id: journal for journal in journals}
    refused: list[GivenBack] = []
    adopted: dict[int, LeftOpen] = {}
    for task in open_tasks:
        reason = _against(task, by_task.get(task.task_id), host_id, handled)
        if reason:
            refused.append(GivenBack(task.task_id, reason))
        else:
            adopted[task.task_id] = task
    freed = {task.task_id for task in refused}
    kept = {task for task, journal in by_task.items() if journal.kept and task not in freed and task not in adopted}
    return AdoptionPlan(
        adopt=tuple(adopted.values()),
        give_back=tuple(refused),
        remove_containers=tuple(c for c in containers if not _spared(c, adopted, kept)),
        remove_directories=tuple(sorted(by_task.keys() - adopted.keys() - kept)),
    )


def _against(task: LeftOpen, journal: LeftJournal | None, host_id: int, handled: Collection[str]) -> str:
    """Return why `task` cannot be adopted; empty if it can."""
    if task.host_id != host_id:
        return f"belongs to host {task.host_id}"
    if task.method not in handled:
        return f"method {task.method} cannot be resumed"
    if task.request is None:
        return "has no request"
    if journal is None:
        return "has no journal"
    if journal.problem:
        return journal.problem
    if journal.host_id != host_id:
        return f"journal is of host {journal.host_id}"
    if journal.start_ts != task.start_ts:
        return f"journal is of another run (started {journal.start_ts}, open since {task.start_ts})"
    return ""


def _spared(container: FoundContainer, adopted: dict[int, LeftOpen], kept: Collection[int]) -> bool:
    if container.task_id is None:
        return False
    if container.task_id in kept:
        return True
    task = adopted.get(container.task_id)
    return task is not None and container.start_ts == task.start_ts
