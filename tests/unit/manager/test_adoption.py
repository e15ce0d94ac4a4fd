"""Adoption: which open tasks go on, which are given back, what is removed (design section 5)."""

from __future__ import annotations

import pytest

from koji_adjutant.container.interface import ContainerHandle
from koji_adjutant.manager.adoption import LeftJournal, LeftOpen, plan_adoption
from koji_adjutant.manager.task_containers import FoundContainer

TS = 1700000000.25
METHODS = {"buildArch", "build"}


def open_task(
    task_id: int = 1, method: str = "buildArch", host_id: int = 7, start_ts: float = TS, request: object = ()
) -> LeftOpen:
    return LeftOpen(task_id, method, host_id, start_ts, request)


def container(name: str, task_id: int | None = 1, start_ts: float | None = TS) -> FoundContainer:
    return FoundContainer(ContainerHandle(name, name, "memory"), task_id, start_ts, "task", 0.0)


def test_equal_host_and_start_are_adopted_with_their_containers() -> None:
    """Host and `start_ts` of hub, journal and labels agree: nothing of the task is touched."""
    plan = plan_adoption(7, [open_task()], [LeftJournal(1, 7, TS)], [container("a"), container("b")], METHODS)
    assert [task.task_id for task in plan.adopt] == [1]
    assert (plan.give_back, plan.remove_containers, plan.remove_directories) == ((), (), ())


def test_a_waiting_parent_needs_no_container() -> None:
    """A parent that only waits is adopted by its journal."""
    plan = plan_adoption(7, [open_task(method="build")], [LeftJournal(1, 7, TS)], [], METHODS)
    assert [task.task_id for task in plan.adopt] == [1]


@pytest.mark.parametrize(
    ("task", "journals", "reason"),
    [
        (open_task(), [], "has no journal"),
        (open_task(), [LeftJournal(1, problem="task journal has format 9, this version reads 1")], "format 9"),
        (open_task(), [LeftJournal(1, 8, TS)], "journal is of host 8"),
        (open_task(), [LeftJournal(1, 7, TS + 1)], "journal is of another run"),
        (open_task(), [LeftJournal(1, 7, None)], "journal is of another run"),
        (open_task(method="restart"), [LeftJournal(1, 7, TS)], "method restart cannot be resumed"),
        (open_task(host_id=8), [LeftJournal(1, 7, TS)], "belongs to host 8"),
        (open_task(request=None), [LeftJournal(1, 7, TS)], "has no request"),
    ],
)
def test_what_cannot_be_attributed_is_given_back(task: LeftOpen, journals: list[LeftJournal], reason: str) -> None:
    """Anything unequal or unreadable: the task goes back with the reason, its containers and directory go."""
    plan = plan_adoption(7, [task], journals, [container("a")], METHODS)
    assert not plan.adopt
    assert [given.task_id for given in plan.give_back] == [1]
    assert reason in plan.give_back[0].reason
    assert [c.handle.name for c in plan.remove_containers] == ["a"]
    assert plan.remove_directories == tuple(journal.task_id for journal in journals)


def test_containers_of_another_run_are_removed() -> None:
    """An adopted task keeps only the containers of its own run; one without a task belongs to nobody."""
    found = [
        container("mine"),
        container("older", start_ts=TS - 9),
        container("bare", start_ts=None),
        container("none", None),
    ]
    plan = plan_adoption(7, [open_task()], [LeftJournal(1, 7, TS)], found, METHODS)
    assert [c.handle.name for c in plan.remove_containers] == ["older", "bare", "none"]


def test_a_task_that_ended_meanwhile_is_cleared() -> None:
    """A journal whose task is no longer open here: directory and containers go, the hub is told nothing."""
    plan = plan_adoption(7, [], [LeftJournal(1, 7, TS)], [container("a")], METHODS)
    assert (plan.adopt, plan.give_back, plan.remove_directories) == ((), (), (1,))
    assert [c.handle.name for c in plan.remove_containers] == ["a"]


def test_kept_roots_are_spared() -> None:
    """The root of a failed task that is still to be kept stays, with its directory."""
    plan = plan_adoption(7, [], [LeftJournal(1, problem="no journal", kept=True)], [container("a")], METHODS)
    assert (plan.remove_containers, plan.remove_directories) == ((), ())


def test_a_keep_record_does_not_spare_a_task_that_is_open_again() -> None:
    """An open task is adopted or given back, whatever an earlier run left to be kept."""
    plan = plan_adoption(7, [open_task()], [LeftJournal(1, 7, TS - 5, kept=True)], [container("a", 1, TS - 5)], METHODS)
    assert (len(plan.give_back), len(plan.remove_containers), plan.remove_directories) == (1, 1, (1,))
