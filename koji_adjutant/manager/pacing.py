"""How often the hub is asked (design section 8): pure arithmetic on a monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

GROWTH = 1.5
"""Factor by which the pause between two `getTasks` grows while there is nothing to do."""
BACK_OFF_FIRST = 2.0
BACK_OFF_MOST = 60.0


@dataclass(frozen=True)
class Pace:
    """Intervals in seconds. The hub is never asked more often than these say, but for the pass after a task was taken."""

    host_tasks: float = 2.0
    """`getHostTasks` while tasks run."""
    tasks: float = 5.0
    """`getTasks`, at least."""
    idle: float = 15.0
    """`getTasks`, at most: kojid's `sleeptime`."""


@dataclass(frozen=True)
class Schedule:
    """When the next calls are due; `pause` is the present interval between two `getTasks`."""

    host_tasks_due: float
    tasks_due: float
    pause: float

    @classmethod
    def start(cls, now: float, pace: Pace) -> Schedule:
        """Everything is due at once."""
        return cls(host_tasks_due=now, tasks_due=now, pause=pace.tasks)

    def after_host_tasks(self, now: float, pace: Pace) -> Schedule:
        """`getHostTasks` was answered."""
        return replace(self, host_tasks_due=now + pace.host_tasks)

    def after_tasks(self, now: float, pace: Pace, *, taken: bool, running: int) -> Schedule:
        """`getTasks` was answered: at once again when a task was taken, else later, ever later while idle."""
        if taken:
            return Schedule(host_tasks_due=now, tasks_due=now, pause=pace.tasks)
        pause = pace.tasks if running else self.pause
        grown = pace.tasks if running else min(pause * GROWTH, max(pace.idle, pace.tasks))
        return replace(self, tasks_due=now + pause, pause=grown)

    def next_due(self, running: int) -> float:
        """When the loop must pass again; without running tasks `getHostTasks` goes along with `getTasks`."""
        return min(self.host_tasks_due, self.tasks_due) if running else self.tasks_due


def back_off(failures: int) -> float:
    """Seconds to wait after the `failures`-th failed pass in a row (1 is the first)."""
    return min(BACK_OFF_MOST, BACK_OFF_FIRST * 2.0 ** min(failures - 1, 10))
