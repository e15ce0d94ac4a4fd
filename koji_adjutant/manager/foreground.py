"""Tasks that run in the main loop itself: `restart`, `restartVerify`, `shutdown` and whatever a plugin declares so."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import Fault

import koji
import koji.tasks
import structlog

from koji_adjutant.hub.refusals import CallUncertain
from koji_adjutant.manager.outcomes import Outcome, outcome_of_error, outcome_of_result
from koji_adjutant.manager.reporting import say

log = structlog.get_logger(__name__)


def run_foreground(handler: koji.tasks.BaseTaskHandler, manager: Any, session: Any) -> None:
    """Run `handler` and report its end. `manager` is what koji's handlers know as the task manager.

    Raises:
        koji.tasks.ServerExit: the daemon shall end; the task itself is freed first, as kojid's shutdown does (contract 2.13).
    """
    log.info("task.started", task_id=handler.id, method=handler.method, foreground=True)
    handler.setManager(manager)
    try:
        outcome = outcome_of_result(handler.run())
    except koji.tasks.ServerExit:
        session.host.freeTasks([handler.id])
        raise
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        log.warning("task.raised", task_id=handler.id, kind=type(error).__name__, error=str(error), exc_info=error)
        outcome = outcome_of_error(error)
    _report(handler.id, outcome, session)
    log.info("task.ended", task_id=handler.id, said=outcome.call.value)


def _report(task_id: int, outcome: Outcome, session: Any) -> None:
    try:
        say(session.host, task_id, outcome.call, outcome.text)
    except CallUncertain as error:
        log.info("task.report_repeated", task_id=task_id, error=str(error))
    except (koji.ActionNotAllowed, Fault) as error:
        log.warning("task.report_refused", task_id=task_id, error=str(error))
