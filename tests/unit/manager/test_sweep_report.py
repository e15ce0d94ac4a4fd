"""Each leftover has a reason that an operator can check."""

from __future__ import annotations

from koji_adjutant.container.interface import ContainerHandle
from koji_adjutant.manager.sweep import Buildroot, SweepDirectory, SweepView, plan_sweep
from koji_adjutant.manager.sweep_report import Leftover, leftovers
from koji_adjutant.manager.task_containers import FoundContainer

NOW = 10_000.0


def container(name: str, task_id: int | None, start_ts: float | None = 1.0) -> FoundContainer:
    return FoundContainer(ContainerHandle(name, name, "memory"), task_id, start_ts, "task", NOW - 400)


def test_reasons() -> None:
    """No task, an earlier run, an ended task, a kept root whose time is over, the oldest kept root of a full disk."""
    view = SweepView(
        now=NOW,
        containers=(container("a", None), container("b", 1), container("c", 2), container("d", 3), container("e", 4)),
        directories=(SweepDirectory(3, NOW - 50, NOW - 1), SweepDirectory(4, NOW - 90, NOW + 9)),
        buildroots=(Buildroot(7, 2), Buildroot(8, None)),
        open_at_hub=frozenset({1}),
        running={1: 2.0},
        disk_short=True,
    )
    assert leftovers(plan_sweep(view, 300.0), view) == (
        Leftover("container", "a", None, 400.0, "it belongs to no task"),
        Leftover("container", "b", 1, 400.0, "it is of an earlier run of task 1"),
        Leftover("container", "c", 2, 400.0, "task 2 is not open on this host"),
        Leftover("container", "d", 3, 400.0, "the time for which the root of task 3 was kept is over"),
        Leftover("container", "e", 4, 400.0, "the disk is short, and the kept root of task 4 is the oldest"),
        Leftover("directory", "3", 3, 50.0, "the time for which the root of task 3 was kept is over"),
        Leftover("directory", "4", 4, 90.0, "the disk is short, and the kept root of task 4 is the oldest"),
        Leftover("buildroot", "7", 2, None, "no task that runs here uses it"),
        Leftover("buildroot", "8", None, None, "no task that runs here uses it"),
    )
