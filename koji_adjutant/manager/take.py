"""Takes one assigned task: checked, opened, weighed, started (contract 2.6), or refused with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from xmlrpc.client import Fault

import koji
import koji.tasks
import structlog

from koji_adjutant.errors import AdjutantError, DiskFull, JournalError
from koji_adjutant.hub.refusals import CallUncertain
from koji_adjutant.manager.open_tasks import Fate, fate_of
from koji_adjutant.manager.outcomes import outcome_of_error
from koji_adjutant.manager.reporting import say
from koji_adjutant.manager.starter import TaskStarter
from koji_adjutant.metrics import QUEUE_SECONDS
from koji_adjutant.tasks.faults import encode_fault
from koji_adjutant.tasks.refused_methods import refusal_reason

log = structlog.get_logger(__name__)

ASSIGNED = koji.TASK_STATES["ASSIGNED"]
HOST_CHECK = "failed host check"

SURVIVABLE = (koji.GenericError, Fault, AdjutantError, OSError)
"""Errors of one task's taking after which the next row may still be tried, where the loop survives them at all."""
REQUEST_ERRORS = (koji.GenericError, TypeError, ValueError, LookupError, AttributeError)
"""What decoding a broken request may raise without a fault of ours."""
CHECK_ERRORS = (*REQUEST_ERRORS, Fault, ArithmeticError, RuntimeError)
"""What a plugin's `checkHost` may raise; troubles of the hub are not among them."""


class TaskTaker:
    """Takes tasks in the main loop, with its session."""

    def __init__(self, starter: TaskStarter, run_foreground: Callable[[koji.tasks.BaseTaskHandler], None]) -> None:
        self._starter = starter
        self._run_foreground = run_foreground
        self._host_id = starter.identity.host_id

    def take(self, row: Mapping[str, Any], host: Mapping[str, Any]) -> bool:
        """Take the task of one `getTasks` row; return whether it was opened. `host` is `getHost`'s answer.

        Raises what the hub raises; the task is then still assigned, or open without a thread and given back by the next
        pass.
        """
        task_id, method = int(row["id"]), str(row["method"])
        if not self._is_ours(row):
            return False
        if method not in self._starter.handlers:
            return self._refuse(task_id, refusal_reason(method), method=method)
        info = self._session.getTaskInfo(task_id, request=True)
        if not info or info.get("request") is None:
            log.warning("task.without_request", task_id=task_id)
            return False
        try:
            handler = self._starter.handler(task_id, method, info["request"])
        except REQUEST_ERRORS as error:
            return self._fail_request(task_id, error)
        if not self.fits_host(handler, host):
            return self._refuse(task_id, HOST_CHECK, method=method)
        return self.open_and_start(handler)

    @property
    def _session(self) -> Any:
        return self._starter.session

    def _is_ours(self, row: Mapping[str, Any]) -> bool:
        if self._starter.table.get(int(row["id"])):
            log.info("task.reassigned_while_running", task_id=row["id"])
            return False
        if row["state"] != ASSIGNED or row["host_id"] != self._host_id:
            log.error("task.not_assigned_to_us", task_id=row["id"], state=row["state"], host_id=row["host_id"])
            return False
        return True

    def _refuse(self, task_id: int, reason: str, **known: Any) -> bool:
        log.warning("task.refused", task_id=task_id, reason=reason, **known)
        self._session.host.refuseTask(task_id, soft=False, msg=reason)
        return False

    def fits_host(self, handler: koji.tasks.BaseTaskHandler, host: Mapping[str, Any]) -> bool:
        """Ask the handler whether the host suits it (`checkHost`); one that breaks says no."""
        check = getattr(handler, "checkHost", None)
        if check is None:
            return True
        try:
            return bool(check(host))
        except CHECK_ERRORS as error:
            if isinstance(error, koji.AuthError):
                raise
            log.warning("task.host_check_failed", task_id=handler.id, error=str(error), exc_info=error)
            return False

    def _fail_request(self, task_id: int, error: Exception) -> bool:
        """Fail a task whose request nobody can read. kojid lets it run into the assignment time-out, again and again."""
        if self._open(task_id) is None:
            return False
        log.warning("task.bad_request", task_id=task_id, error=str(error))
        self._session.host.failTask(task_id, encode_fault(error))
        return True

    def _open(self, task_id: int) -> Mapping[str, Any] | None:
        try:
            opened: Mapping[str, Any] | None = self._session.host.openTask(task_id)
        except CallUncertain:
            # The hub acted on the first try; nobody else opens tasks in our name.
            opened = self._session.getTaskInfo(task_id)
            if fate_of(opened, self._host_id) is not Fate.OURS:
                return None
        if opened is None:
            log.warning("task.not_opened", task_id=task_id)
        return opened

    def open_and_start(self, handler: koji.tasks.BaseTaskHandler) -> bool:
        """Open a task that is assigned to us or free, and start it; False: another was first."""
        opened = self._open(handler.id)
        if opened is None or not self._set_weight(handler):
            return False
        start_ts = float(opened["start_ts"])
        if opened.get("create_ts"):
            QUEUE_SECONDS.labels(handler.method).observe(max(0.0, start_ts - float(opened["create_ts"])))
        if handler.Foreground:
            self._run_foreground(handler)
            return True
        try:
            self._starter.start_new(handler, start_ts)
        except (JournalError, DiskFull) as error:
            self._give_back(handler.id, error)
            return False
        return True

    def _give_back(self, task_id: int, error: AdjutantError) -> None:
        """Refuse an open task whose state cannot be written. Freed without a word it would come straight back."""
        log.error("task.given_back", task_id=task_id, error=str(error))
        outcome = self._starter.services.policy.settle(task_id, outcome_of_error(error), self._session)
        say(self._session.host, task_id, outcome.call, outcome.text)

    def _set_weight(self, handler: koji.tasks.BaseTaskHandler) -> bool:
        try:
            self._session.host.setTaskWeight(handler.id, handler.weight())
        except CallUncertain:
            # The weight is set and only the answer was lost; the task is ours.
            log.info("task.weight_answer_lost", task_id=handler.id)
        except koji.ActionNotAllowed:
            fate = fate_of(self._session.getTaskInfo(handler.id), self._host_id)
            if fate is Fate.OURS:
                raise
            log.warning("task.lost_after_open", task_id=handler.id, fate=fate.value)
            return False
        return True
