"""How often the hub is asked."""

from __future__ import annotations

import pytest

from koji_adjutant.manager.pacing import Pace, Schedule, back_off

PACE = Pace(host_tasks=2.0, tasks=5.0, idle=15.0)


def test_everything_is_due_at_start() -> None:
    """The first pass asks at once."""
    assert Schedule.start(100.0, PACE).next_due(0) == 100.0


def test_idle_pauses_grow_to_sleeptime() -> None:
    """While nothing runs the pause between two looks grows from 5 s to kojid's sleeptime and stays there."""
    now, schedule, pauses = 0.0, Schedule.start(0.0, PACE), []
    for _ in range(6):
        schedule = schedule.after_tasks(now, PACE, taken=False, running=0)
        pauses.append(schedule.next_due(0) - now)
        now = schedule.next_due(0)
    assert pauses == [5.0, 7.5, 11.25, 15.0, 15.0, 15.0]


def test_a_taken_task_asks_at_once() -> None:
    """After a task was taken the next look is due at once, and the pause is short again."""
    schedule = Schedule(0.0, 0.0, pause=15.0).after_tasks(50.0, PACE, taken=True, running=1)
    assert (schedule.host_tasks_due, schedule.tasks_due, schedule.pause) == (50.0, 50.0, 5.0)


def test_running_tasks_are_looked_at_every_two_seconds() -> None:
    """While tasks run the open tasks are asked for every 2 s, new ones every 5 s."""
    schedule = Schedule.start(0.0, PACE).after_host_tasks(0.0, PACE).after_tasks(0.0, PACE, taken=False, running=1)
    assert (schedule.next_due(1), schedule.tasks_due) == (2.0, 5.0)


def test_idle_host_asks_for_open_tasks_with_the_new_ones() -> None:
    """Without running tasks there is one round of calls, not two clocks."""
    schedule = Schedule(host_tasks_due=2.0, tasks_due=15.0, pause=15.0)
    assert schedule.next_due(0) == 15.0


def test_never_faster_than_the_minimum() -> None:
    """A sleeptime below the minimum does not make the looks more frequent."""
    pace = Pace(tasks=5.0, idle=1.0)
    schedule = Schedule.start(0.0, pace).after_tasks(0.0, pace, taken=False, running=0)
    assert schedule.after_tasks(5.0, pace, taken=False, running=0).tasks_due == 10.0


@pytest.mark.parametrize(("failures", "seconds"), [(1, 2.0), (2, 4.0), (5, 32.0), (6, 60.0), (1000, 60.0)])
def test_back_off(failures: int, seconds: float) -> None:
    """Failed passes wait longer and longer, up to a minute."""
    assert back_off(failures) == seconds
