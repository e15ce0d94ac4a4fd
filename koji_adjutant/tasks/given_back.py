"""Which errors of a container runtime end a task and which give it back to the hub (design section 7, "Verdicts")."""

from __future__ import annotations

import koji
import koji.tasks

from koji_adjutant.disk import is_full
from koji_adjutant.errors import (
    CapabilityMissing,
    ContainerError,
    DiskFull,
    ExecError,
    ImageError,
    Interrupted,
    JournalError,
    OutOfMemory,
    RuntimeUnavailable,
    SessionLost,
)

GIVEN_BACK: tuple[type[ContainerError], ...] = (ImageError, RuntimeUnavailable, CapabilityMissing, DiskFull)
"""Errors that another host may not have, whether or not a repetition would help here."""
GIVEN_BACK_REASONS = frozenset({DiskFull.reason})
"""The same by their reasons: a full disk is met in many ways."""
NEVER_GIVEN_BACK: tuple[type[ContainerError], ...] = (OutOfMemory, ExecError)
"""Errors that name what the task itself did or that leave its end unknown: reported as they are."""

ANOTHER_RUN: tuple[type[BaseException], ...] = (
    Interrupted,
    SessionLost,
    JournalError,
    SystemExit,
    KeyboardInterrupt,
    koji.AuthLockError,
    koji.tasks.RefuseTask,
    koji.tasks.ServerExit,
    koji.tasks.ServerRestart,
)
"""What ends this run and not the task: another run, here or elsewhere, goes on with it, or the hub has ended it already."""


def is_infrastructure(error: ContainerError) -> bool:
    """Whether an error that a handler let through may be cured by another host."""
    if isinstance(error, NEVER_GIVEN_BACK):
        return False
    return isinstance(error, GIVEN_BACK) or error.reason in GIVEN_BACK_REASONS or error.retryable


def ends_build(error: BaseException) -> bool:
    """Whether the build that a task makes has failed with it: not where another run of the task goes on with the build."""
    if isinstance(error, ANOTHER_RUN) or is_full(error):
        return False
    return not (isinstance(error, ContainerError) and is_infrastructure(error))
