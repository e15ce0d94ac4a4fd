"""The tasks that run in this daemon: one thread each, one table for all."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from koji_adjutant.tasks.context import TaskContext


@dataclass
class RunningTask:
    """A task between its start here and the end of its thread. Fields but the events belong to the main loop."""

    context: TaskContext
    thread: threading.Thread | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    """Set by the task's thread as its last act."""
    ended_at_hub_since: float | None = None
    """Monotonic time at which the hub was first seen to have ended the task while its thread went on."""
    cancel_started: bool = False

    @property
    def task_id(self) -> int:
        return self.context.task_id

    @property
    def goes_on(self) -> bool:
        """Whether it is not over yet: it runs, or was left to the next daemon, which takes it up."""
        interruption = self.context.interruption
        return not self.ended.is_set() or (interruption.event.is_set() and not interruption.cancelled)


class TaskTable:
    """All running tasks by id. Thread-safe: the main loop changes it, check-in, sweep and status read it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[int, RunningTask] = {}

    def add(self, task: RunningTask) -> None:
        with self._lock:
            self._tasks[task.task_id] = task

    def get(self, task_id: int) -> RunningTask | None:
        with self._lock:
            return self._tasks.get(task_id)

    def all(self) -> list[RunningTask]:
        with self._lock:
            return list(self._tasks.values())

    def ids(self) -> frozenset[int]:
        with self._lock:
            return frozenset(self._tasks)

    def runs(self) -> dict[int, float]:
        """Return the `start_ts` of each running task by its id."""
        with self._lock:
            return {task_id: task.context.start_ts for task_id, task in self._tasks.items()}

    def reap(self) -> list[RunningTask]:
        """Take out and return the tasks whose threads have ended."""
        with self._lock:
            ended = [task for task in self._tasks.values() if task.ended.is_set()]
            for task in ended:
                del self._tasks[task.task_id]
            return ended

    def __len__(self) -> int:
        with self._lock:
            return len(self._tasks)
