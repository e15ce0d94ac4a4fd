"""Which errors of a container runtime end a task and which give it back to the hub (design section 7, "Verdicts")."""

from __future__ import annotations

from koji_adjutant.errors import (
    CapabilityMissing,
    ContainerError,
    DiskFull,
    ExecError,
    ImageError,
    OutOfMemory,
    RuntimeUnavailable,
)

GIVEN_BACK: tuple[type[ContainerError], ...] = (ImageError, RuntimeUnavailable, CapabilityMissing, DiskFull)
"""Errors that another host may not have, whether or not a repetition would help here."""
GIVEN_BACK_REASONS = frozenset({DiskFull.reason})
"""The same by their reasons: a full disk is met in many ways."""
NEVER_GIVEN_BACK: tuple[type[ContainerError], ...] = (OutOfMemory, ExecError)
"""Errors that name what the task itself did or that leave its end unknown: reported as they are."""


def is_infrastructure(error: ContainerError) -> bool:
    """Whether an error that a handler let through may be cured by another host."""
    if isinstance(error, NEVER_GIVEN_BACK):
        return False
    return isinstance(error, GIVEN_BACK) or error.reason in GIVEN_BACK_REASONS or error.retryable
