"""Ends a task that the hub has taken away: its containers are gone within five seconds (design section 8).

The main loop is not held up: each cancel has a thread. It first lets the task's own thread end, which uploads the tail of
the logs and removes what it made, then removes by label whatever is left, until the runtime shows nothing.
"""

from __future__ import annotations

import threading

import structlog

from koji_adjutant.manager.clock import Clock
from koji_adjutant.manager.running import RunningTask
from koji_adjutant.manager.task_containers import TaskContainers

log = structlog.get_logger(__name__)

GRACE = 2.0
"""Seconds the task's own thread has before its containers are removed under it."""
DEADLINE = 60.0
"""Seconds after which a runtime that cannot remove them is left to the sweep."""
RETRY = 0.5


class Canceller:
    """Cancels tasks. `cancel` is called by the main loop; the rest happens in threads of its own."""

    def __init__(self, containers: TaskContainers, clock: Clock) -> None:
        self._containers = containers
        self._clock = clock
        self._never = threading.Event()

    def cancel(self, task: RunningTask, reason: str) -> None:
        """Interrupt the task and remove its containers. Safe to repeat; the first call counts."""
        if task.cancel_started:
            task.context.wake.set()
            return
        task.cancel_started = True
        log.info("task.cancelling", task_id=task.task_id, reason=reason)
        task.context.interruption.cancel(reason)
        threading.Thread(target=self._finish, args=(task,), name=f"cancel-{task.task_id}", daemon=True).start()

    def _finish(self, task: RunningTask) -> None:
        try:
            self._clock.wait(task.ended, GRACE)
            self.remove_all(task)
        except BaseException as error:
            log.exception("task.cancel_failed", task_id=task.task_id, error=str(error))

    def remove_all(self, task: RunningTask) -> bool:
        """Remove the run's containers until none is listed; False when the runtime did not manage in time."""
        started = self._clock.monotonic()
        while not self._containers.remove_run(task.task_id, task.context.start_ts):
            if self._clock.monotonic() - started > DEADLINE:
                log.error("task.containers_left", task_id=task.task_id)
                return False
            self._clock.wait(self._never, RETRY)
        log.info("task.containers_gone", task_id=task.task_id, seconds=self._clock.monotonic() - started)
        return True
