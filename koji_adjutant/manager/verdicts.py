"""Settles refusals by the verdict policy: asks the hub who else refused, remembers what this host refused."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any
from xmlrpc.client import Fault

import koji
import structlog

from koji_adjutant.manager.outcomes import Call, Outcome
from koji_adjutant.manager.verdict_policy import Refusal, Verdict, judge

log = structlog.get_logger(__name__)


class Verdicts:
    """One for the daemon; called by the threads of tasks, each with its own session."""

    def __init__(self, host_id: int) -> None:
        self._host_id = host_id
        self._lock = threading.Lock()
        self._refused: Counter[tuple[int, str]] = Counter()

    def settle(self, task_id: int, outcome: Outcome, session: Any) -> Outcome:
        """Return `outcome`, or the failure it becomes (`reporting.RefusalPolicy`)."""
        key = (task_id, outcome.reason)
        with self._lock:
            here = self._refused[key]
        verdict = judge(outcome.reason, self._host_id, self._refusals(task_id, session), here)
        log.info("task.judged", task_id=task_id, reason=outcome.reason, verdict=verdict.value, refused_here=here)
        if verdict is Verdict.FAIL:
            return Outcome(Call.FAIL, outcome.fault)
        with self._lock:
            self._refused[key] += 1
        return outcome

    def _refusals(self, task_id: int, session: Any) -> list[Refusal]:
        try:
            rows = session.scheduler.getTaskRefusals([["task_id", "=", task_id]])
        except (koji.GenericError, Fault) as error:
            if isinstance(error, koji.AuthError):
                raise
            # A hub before 1.34 keeps no refusals: then only what this host did counts.
            log.info("task.refusals_unknown", task_id=task_id, error=str(error))
            return []
        return [Refusal.from_row(row) for row in rows]
