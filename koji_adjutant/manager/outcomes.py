"""What is said to the hub when a handler has ended (contract 2.8): a pure table from result or error to one call."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import koji
import koji.tasks

from koji_adjutant.errors import ContainerError, DaemonStopping, Interrupted, JournalError, SessionLost, TaskCancelled
from koji_adjutant.manager.verdict_policy import refusal_message
from koji_adjutant.tasks.faults import encode_fault, encode_result
from koji_adjutant.tasks.given_back import is_infrastructure

STATE_DIR = "state-dir"
"""Reason of a refusal because the state directory cannot be written."""


class Call(enum.StrEnum):
    """The hub call that ends the task here."""

    CLOSE = "closeTask"
    FAIL = "failTask"
    REFUSE = "refuseTask"
    FREE = "freeTasks"
    NONE = "none"
    """Nothing is said: the hub has taken the task away already, or another daemon goes on with it."""


@dataclass(frozen=True)
class Outcome:
    """The end of a handler.

    `text` is the document of CLOSE and FAIL or the message of REFUSE. `reason` is set when a refusal is subject to the
    verdict policy; `fault` is then the document with which the task fails if the policy says so. `resumable`: another
    daemon adopts the task, so journal, directory and containers stay.
    """

    call: Call
    text: str = ""
    reason: str = ""
    fault: str = ""
    resumable: bool = False


def outcome_of_result(value: Any) -> Outcome:
    """Return the outcome of a handler that returned; a value that cannot be encoded fails the task, as under kojid."""
    try:
        return Outcome(Call.CLOSE, encode_result(value))
    except (TypeError, ValueError, OverflowError) as error:
        return Outcome(Call.FAIL, encode_fault(error))


def outcome_of_error(error: BaseException) -> Outcome:
    """Return the outcome of a handler that raised; every exception has one."""
    if isinstance(error, DaemonStopping | SessionLost | koji.AuthLockError):
        return Outcome(Call.NONE, resumable=True)
    if isinstance(error, TaskCancelled | SystemExit | KeyboardInterrupt | koji.tasks.ServerExit):
        return Outcome(Call.NONE)
    if isinstance(error, koji.tasks.ServerRestart | Interrupted):
        return Outcome(Call.FREE)
    if isinstance(error, JournalError):
        # Freed, the task would come back to a host whose disk is broken or read-only.
        return _refusal(STATE_DIR, error.brief, error)
    if isinstance(error, koji.tasks.RefuseTask):
        return Outcome(Call.REFUSE, str(error))
    if isinstance(error, ContainerError) and is_infrastructure(error):
        return _refusal(error.reason, error.brief, error)
    return Outcome(Call.FAIL, encode_fault(error))


def _refusal(reason: str, brief: str, error: BaseException) -> Outcome:
    return Outcome(Call.REFUSE, refusal_message(reason, brief), reason=reason, fault=encode_fault(error))
