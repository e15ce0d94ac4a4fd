"""The sweep: only old leftovers of ours, and never what the hub or our table holds (design section 8)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from koji_adjutant.container.interface import ContainerHandle
from koji_adjutant.manager.sweep import Buildroot, SweepDirectory, SweepView, buildroots_of, plan_sweep
from koji_adjutant.manager.task_containers import FoundContainer

NOW, AGE, TS = 10_000.0, 300.0, 5.5


def container(
    task_id: int | None = 1, start_ts: float | None = TS, *, age: float = 400.0, keep: float | None = None
) -> FoundContainer:
    return FoundContainer(ContainerHandle("c", "c", "memory"), task_id, start_ts, "task", NOW - age, keep)


def view(**changed: Any) -> SweepView:
    nothing = SweepView(NOW, (), (), (), frozenset(), {})
    return dataclasses.replace(nothing, **changed)


@pytest.mark.parametrize(
    ("found", "changed", "goes"),
    [
        (container(), {}, True),
        (container(age=299.0), {}, False),
        (container(), {"running": {1: TS}}, False),
        (container(), {"running": {1: TS + 1}}, True),
        (container(start_ts=None), {"running": {1: TS}}, True),
        (container(), {"open_at_hub": frozenset({1})}, False),
        (container(), {"open_at_hub": frozenset({2})}, True),
        (container(None), {}, True),
        (container(None, age=10.0), {}, False),
        (container(keep=NOW + 1), {}, False),
        (container(keep=NOW - 1), {}, True),
        (container(), {"directories": (SweepDirectory(1, 0.0, NOW + 1),)}, False),
        (container(), {"directories": (SweepDirectory(1, 0.0, NOW - 1),)}, True),
    ],
)
def test_containers(found: FoundContainer, changed: dict[str, Any], goes: bool) -> None:
    """Age, our table, the hub's open tasks and the keep record decide, in every combination that matters."""
    plan = plan_sweep(view(containers=(found,), **changed), AGE)
    assert plan.containers == ((found,) if goes else ())


@pytest.mark.parametrize(
    ("directory", "changed", "goes"),
    [
        (SweepDirectory(1, NOW - 400), {}, True),
        (SweepDirectory(1, NOW - 100), {}, False),
        (SweepDirectory(1, NOW - 400), {"running": {1: TS}}, False),
        (SweepDirectory(1, NOW - 400), {"open_at_hub": frozenset({1})}, False),
        (SweepDirectory(1, NOW - 400, NOW + 1), {}, False),
        (SweepDirectory(1, NOW - 100, NOW - 1), {}, True),
    ],
)
def test_directories(directory: SweepDirectory, changed: dict[str, Any], goes: bool) -> None:
    """State of a task that neither runs nor is kept goes; a kept root's goes with the end of its time."""
    plan = plan_sweep(view(directories=(directory,), **changed), AGE)
    assert plan.directories == ((1,) if goes else ())


def test_the_oldest_kept_root_goes_when_the_disk_is_short() -> None:
    """One kept root at a time makes room, the oldest first."""
    kept = (SweepDirectory(1, 200.0, NOW + 9), SweepDirectory(2, 100.0, NOW + 9), SweepDirectory(3, 300.0, NOW + 9))
    found = tuple(container(task) for task in (1, 2, 3))
    plan = plan_sweep(view(containers=found, directories=kept, disk_short=True), AGE)
    assert [c.task_id for c in plan.containers] == [2]
    assert plan.directories == (2,)


def test_buildroots_without_a_running_task_expire() -> None:
    """Roots of other tasks, and those of none, are expired (contract 2.12); ours in use are not."""
    rows = [{"id": 10, "task_id": 1}, {"id": 11, "task_id": 2}, {"id": 12, "task_id": None}]
    assert buildroots_of(rows)[2] == Buildroot(12, None)
    assert plan_sweep(view(buildroots=buildroots_of(rows), running={1: TS}), AGE).expire == (11, 12)
