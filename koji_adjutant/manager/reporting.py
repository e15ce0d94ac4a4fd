"""Tells the hub how a task ended, once, whatever happens between the call and its answer.

The document is noted in the journal before the call. A daemon that died in between does not run the task again: it asks
the hub for the state and sends the noted document if the task is still open for us. With a disk so full that nothing can be
noted the end is reported all the same: what the hub then shows of the task tells the next daemon as much.

A result that the hub will never take (too large, or a callback says no) fails the task with the hub's words, as under kojid:
given back, the task would do the same work again, without end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from xmlrpc.client import Fault

import koji
import structlog

from koji_adjutant.errors import AdjutantError, DiskFull, HubError, Interrupted, JournalError, SessionLost
from koji_adjutant.hub.refusals import CallUncertain
from koji_adjutant.manager.open_tasks import Fate, fate_of
from koji_adjutant.manager.outcomes import Call, Outcome
from koji_adjutant.manager.pacing import back_off
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.faults import encode_fault

log = structlog.get_logger(__name__)

REPORT = "report"
"""Name of the act in the task's journal."""
REPORT_OF_REFUSAL = "report-of-refusal"
"""Name of the act that fails a task whose result the hub has refused."""
GONE = "gone"
"""Instead of a call's name: the hub did not let us report, the task is not ours any more."""


def say(host: Any, task_id: int, call: Call, text: str) -> None:
    """Make the one hub call that ends a task; `host` is the session's `host` namespace."""
    if call is Call.CLOSE:
        host.closeTask(task_id, text)
    elif call is Call.FAIL:
        host.failTask(task_id, text)
    elif call is Call.REFUSE:
        host.refuseTask(task_id, soft=True, msg=text)
    elif call is Call.FREE:
        host.freeTasks([task_id])


class RefusalPolicy(Protocol):
    """Turns a refusal that has a reason into a failure where the verdict policy says so."""

    def settle(self, task_id: int, outcome: Outcome, session: Any) -> Outcome:
        """Return what is really said; asks the hub who else refused."""


class _ResultRefused(Exception):
    """The hub will never take the result of a task that is still ours."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Reporter:
    """Reports the end of one task with its own session. Used by the task's thread only."""

    def __init__(self, context: TaskContext, policy: RefusalPolicy) -> None:
        self._context = context
        self._session = context.session
        self._policy = policy

    def report(self, outcome: Outcome) -> str:
        """Report and return the call that was made (`gone` when the task was not ours any more).

        Repeated until the hub has answered; ends early with DaemonStopping or TaskCancelled only.
        """
        if outcome.call is Call.NONE:
            return Call.NONE
        if outcome.reason:
            outcome = self._policy.settle(self._context.task_id, outcome, self._session)
            if outcome.call is Call.FAIL:
                self._give_up()
        return self._end({"call": outcome.call.value, "text": outcome.text})

    def _give_up(self) -> None:
        """Let the handler end at the hub what another run would have gone on with; the task fails whatever comes of it."""
        try:
            self._context.given_up()
        except (koji.GenericError, Fault, AdjutantError) as error:
            if isinstance(error, Interrupted) or _is_no_answer(error):
                raise
            log.warning("task.not_given_up", task_id=self._context.task_id, error=str(error))

    def resume(self) -> str | None:
        """Finish a report that an earlier daemon began; None if none was begun and the handler has to run."""
        journal = self._context.journal
        if (failure := journal.note(REPORT_OF_REFUSAL)) is not None:
            return self._once(REPORT_OF_REFUSAL, failure)
        note = journal.note(REPORT)
        return None if note is None else self._end(note)

    def _end(self, note: Mapping[str, Any]) -> str:
        try:
            return self._once(REPORT, note)
        except _ResultRefused as refused:
            log.warning("task.result_refused", task_id=self._context.task_id, error=str(refused))
            failure = {"call": Call.FAIL.value, "text": encode_fault(refused.error)}
        return self._once(REPORT_OF_REFUSAL, failure)

    def _once(self, name: str, note: Mapping[str, Any]) -> str:
        answers: list[str] = []

        def report() -> str:
            answers.append(self._until_answered(note))
            return answers[0]

        try:
            return str(self._context.journal.once(name, report, recover=self._look, note=note))
        except (DiskFull, JournalError) as error:
            log.warning("task.report_not_noted", task_id=self._context.task_id, error=str(error))
            return answers[0] if answers else report()

    def _until_answered(self, note: Mapping[str, Any]) -> str:
        failures = 0
        while True:
            try:
                return self._say(note)
            except HubError as error:
                if not error.retryable:
                    raise
                failures += 1
                log.warning("task.report_failed", task_id=self._context.task_id, failures=failures, error=str(error))
                self._context.interruption.sleep(back_off(failures))

    def _say(self, note: Mapping[str, Any]) -> str:
        call, task_id = Call(note["call"]), self._context.task_id
        try:
            say(self._session.host, task_id, call, note["text"])
        except CallUncertain:
            # The hub carried the same call out before; only its answer was lost.
            return call.value
        except (koji.GenericError, Fault, HubError) as error:
            if _is_no_answer(error):
                raise
            if self._fate() is Fate.OURS:
                if call is Call.CLOSE:
                    raise _ResultRefused(error) from error
                raise
            log.info("task.report_refused", task_id=task_id, error=str(error))
            return GONE
        return call.value

    def _look(self, note: Any) -> tuple[bool, str]:
        """Whether the hub shows the task as ended here: it is not open for us any more."""
        return (False, "") if self._fate() is Fate.OURS else (True, str(note["call"]))

    def _fate(self) -> Fate:
        return fate_of(self._session.getTaskInfo(self._context.task_id), self._context.identity.host_id)


def _is_no_answer(error: Exception) -> bool:
    """Whether `error` says nothing of the call: the hub is away, or it is the session that was refused."""
    return isinstance(error, koji.AuthError | SessionLost) or (isinstance(error, HubError) and error.retryable)
