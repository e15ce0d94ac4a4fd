"""What a sweep removes and why, in words for people. Pure; the decisions are `sweep`'s."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from koji_adjutant.manager.sweep import SweepPlan, SweepView
from koji_adjutant.manager.task_containers import FoundContainer


@dataclass(frozen=True)
class Leftover:
    """One thing that goes. `kind`: `container`, `directory` or `buildroot`; `age` in seconds, None where nobody knows."""

    kind: str
    name: str
    task_id: int | None
    age: float | None
    reason: str


def leftovers(plan: SweepPlan, view: SweepView) -> tuple[Leftover, ...]:
    """Describe everything that `plan`, made of `view`, removes or expires."""
    return tuple(_leftovers(plan, view))


def _leftovers(plan: SweepPlan, view: SweepView) -> Iterator[Leftover]:
    for container in plan.containers:
        age = view.now - container.created_at
        yield Leftover("container", container.handle.name, container.task_id, age, _why(container, plan, view))
    modified = {directory.task_id: directory.modified_at for directory in view.directories}
    for task_id in plan.directories:
        yield Leftover("directory", str(task_id), task_id, view.now - modified[task_id], _ended(task_id, plan, view))
    tasks = {buildroot.id: buildroot.task_id for buildroot in view.buildroots}
    for number in plan.expire:
        yield Leftover("buildroot", str(number), tasks[number], None, "no task that runs here uses it")


def _why(container: FoundContainer, plan: SweepPlan, view: SweepView) -> str:
    task_id = container.task_id
    if task_id is None:
        return "it belongs to no task"
    if task_id in view.running:
        return f"it is of an earlier run of task {task_id}"
    return _ended(task_id, plan, view)


def _ended(task_id: int, plan: SweepPlan, view: SweepView) -> str:
    if task_id == plan.dropped:
        return f"the disk is short, and the kept root of task {task_id} is the oldest"
    if any(directory.task_id == task_id and directory.kept_until for directory in view.directories):
        return f"the time for which the root of task {task_id} was kept is over"
    return f"task {task_id} is not open on this host"
