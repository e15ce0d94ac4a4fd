"""May a task try again here after a container error? One pure decision (design section 7, Verdicts)."""

from __future__ import annotations

import enum

from koji_adjutant.buildroot.faults import InfrastructureFault
from koji_adjutant.errors import ContainerError, ContainerLost, DiskFull, OutOfMemory

ATTEMPTS = 3
"""Tries of one task on this host before it is given back."""
BACKOFF = (5.0, 20.0)
"""Seconds before the second and the third try."""


class Retry(enum.Enum):
    """What comes after a failed attempt."""

    NO = "no"
    YES = "yes"
    LAST = "last"
    """Once more, but the next loss of a container is final."""


def retry(error: ContainerError, attempt: int, *, spec_ran: bool, lost_before: bool) -> Retry:
    """Decide after attempt number `attempt` (from 1).

    `spec_ran`: code of the spec has been started in some attempt. What it has done cannot be told from what a loss has
    done, so from then on only the loss of a container allows another try, and only one. What the verdicts call
    infrastructure (a download that failed) may be tried again at any time.
    """
    if attempt >= ATTEMPTS or not error.retryable or isinstance(error, OutOfMemory):
        return Retry.NO
    if error.reason == DiskFull.reason:
        # What helps is what this task gives free by going away.
        return Retry.NO
    if not spec_ran or isinstance(error, InfrastructureFault):
        return Retry.YES
    return Retry.LAST if isinstance(error, ContainerLost) and not lost_before else Retry.NO


def backoff(attempt: int) -> float:
    """Return the seconds to wait after attempt number `attempt`."""
    return BACKOFF[min(attempt, len(BACKOFF)) - 1]
