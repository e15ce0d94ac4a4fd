"""Runs one task in its thread: handler, report to the hub, clean-up (contract 2.8).

The thread never dies of an exception: what the handler raises becomes an outcome, what reporting raises is logged and
leaves the task open at the hub, where the main loop gives it back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xmlrpc.client import Fault

import koji
import koji.tasks
import structlog

from koji_adjutant.disk import free_bytes, is_full, told_by
from koji_adjutant.errors import AdjutantError, DaemonStopping, SessionLost, TaskCancelled
from koji_adjutant.manager.history import TaskHistory, TaskRecord, shortened
from koji_adjutant.manager.outcomes import Call, Outcome, outcome_of_error, outcome_of_result
from koji_adjutant.manager.reporting import GONE, RefusalPolicy, Reporter
from koji_adjutant.manager.running import RunningTask
from koji_adjutant.manager.task_containers import TaskContainers
from koji_adjutant.manager.task_directory import TaskDirectories
from koji_adjutant.metrics import TASK_SECONDS, TASKS
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.kept_root import kept_until
from koji_adjutant.tracing import task_span

log = structlog.get_logger(__name__)

RESUMABLE = "left"
"""Instead of a hub call: another daemon goes on with the task."""
RESULTS: Mapping[str, str] = {
    Call.CLOSE: "closed",
    Call.FAIL: "failed",
    Call.REFUSE: "refused",
    Call.FREE: "freed",
    Call.NONE: "cancelled",
    GONE: "cancelled",
    RESUMABLE: "left",
}
"""Words of the metrics for what was said to the hub."""


@dataclass(frozen=True)
class ThreadServices:
    """What the threads of all tasks share."""

    containers: TaskContainers
    directories: TaskDirectories
    policy: RefusalPolicy
    history: TaskHistory
    wake_loop: Callable[[], None]
    """Tells the main loop that a thread has ended."""


def start_thread(handler: koji.tasks.BaseTaskHandler, running: RunningTask, services: ThreadServices) -> None:
    """Run `handler` in a thread of its own; `running.ended` is set at its end."""
    thread = threading.Thread(
        target=_thread, args=(handler, running, services), name=f"task-{running.task_id}", daemon=True
    )
    running.thread = thread
    thread.start()


def _thread(handler: koji.tasks.BaseTaskHandler, running: RunningTask, services: ThreadServices) -> None:
    context = running.context
    try:
        with (
            structlog.contextvars.bound_contextvars(task_id=context.task_id, method=context.method),
            task_span(context.method, context.task_id, context.start_ts, adopted=context.adopted),
        ):
            TaskThread(handler, context, services).run()
    except BaseException as error:
        log.exception("task.thread_failed", task_id=context.task_id, error=str(error))
        context.journal.close()
    finally:
        running.ended.set()
        services.wake_loop()


class TaskThread:
    """The course of one task, new or adopted."""

    def __init__(self, handler: koji.tasks.BaseTaskHandler, context: TaskContext, services: ThreadServices) -> None:
        self._handler = handler
        self._context = context
        self._services = services
        self._reporter = Reporter(context, services.policy)
        self._why = ""
        """What the handler or its report failed of."""

    def run(self) -> str:
        """Return what was said to the hub at the end, or RESUMABLE."""
        began = time.monotonic()
        said = self._work()
        log.info("task.ended", said=said)
        TASKS.labels(self._context.method, RESULTS[said]).inc()
        TASK_SECONDS.labels(self._context.method).observe(time.monotonic() - began)
        if said == RESUMABLE:
            self._context.journal.close()
        else:
            self._clean_up()
        self._services.history.add(self._record(RESULTS[said]))
        return said

    def _work(self) -> str:
        try:
            said = self._reporter.resume() if self._context.adopted else None
            if said is not None:
                return said
            outcome = self._handle()
            return RESUMABLE if outcome.resumable else self._reporter.report(outcome)
        except TaskCancelled as error:
            self._why = str(error)
            return Call.NONE
        except (DaemonStopping, SessionLost, koji.AuthError) as error:
            self._why = str(error)
            log.info("task.left", error=str(error))
            return RESUMABLE
        except (koji.GenericError, Fault, AdjutantError, OSError) as error:
            # Still open at the hub: the main loop finds no thread for it and frees it.
            self._why = str(error)
            log.exception("task.report_lost", error=str(error))
            return Call.NONE

    def _record(self, result: str) -> TaskRecord:
        context = self._context
        standing = context.progress.look()
        return TaskRecord(
            task_id=context.task_id,
            method=context.method,
            label=context.label,
            result=result,
            began=context.start_ts,
            ended=time.time(),
            reason="" if result == "closed" else shortened(self._why),
            phases=tuple((phase.name, phase.began) for phase in standing.phases),
            container=standing.container,
            image=standing.image,
            digest=standing.digest,
            prepared=standing.prepared,
            adopted=context.adopted,
        )

    def _handle(self) -> Outcome:
        try:
            value = self._handler.run()
        except BaseException as error:  # noqa: BLE001 - every exception of a handler is an outcome
            return self._outcome_of(error)
        return outcome_of_result(value)

    def _outcome_of(self, error: BaseException) -> Outcome:
        interruption = self._context.interruption
        if interruption.event.is_set() and not isinstance(error, SessionLost):
            # Whatever was raised after the end was asked for may be only its consequence.
            log.info("task.interrupted", error=str(error), kind=type(error).__name__)
            self._why = str(interruption.error())
            return outcome_of_error(interruption.error())
        raised = error
        if isinstance(error, OSError) and is_full(error):
            error = told_by(error, self._fullest_place())
        self._why = str(error) or type(error).__name__
        outcome = outcome_of_error(error)
        # The traceback of what the hub's user reads as a sentence helps nobody.
        foreseen = isinstance(raised, koji.GenericError | Fault | AdjutantError | koji.tasks.RefuseTask)
        log.warning(
            "task.raised",
            kind=type(error).__name__,
            error=str(error),
            call=outcome.call.value,
            exc_info=None if foreseen else raised,
        )
        return outcome

    def _fullest_place(self) -> Path:
        """Where an error of a full disk came from that names no file."""
        places = (self._context.directory, Path(self._context.options.workdir))
        return min(places, key=lambda place: free_bytes(place) or 0)

    def _clean_up(self) -> None:
        """Leave nothing of this run but a root that is to be kept, and drop the session."""
        context = self._context
        try:
            context.journal.delete()
        except OSError as error:
            # A broken disk; without a task at the hub the next daemon clears what is left.
            log.warning("task.journal_left", path=str(context.journal.path), error=str(error))
        if kept_until(context.directory) is None:
            self._services.containers.remove_run(context.task_id, context.start_ts)
            self._services.directories.remove(context.task_id)
        else:
            log.info("task.root_kept", directory=str(context.directory))
        context.session.close()
