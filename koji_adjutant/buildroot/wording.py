"""kojid's sentences about a failing mock, word for word: people and tools match on them (contract 4.0.3)."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """What kojid would have called mock for; the value opens its sentence."""

    INIT = "could not init mock buildroot"
    BUILD = "error building package (arch {arch})"
    BUILD_SRPM = "error building srpm"
    FETCH = "error retrieving sources"
    MAVEN = "error building Maven package"


_BUILDROOT_ERRORS = frozenset({Operation.INIT, Operation.MAVEN})


def sentence(operation: Operation, end: str, arch: str) -> str:
    """Return kojid's text; `end` comes from `end_of_mock`."""
    if operation is Operation.MAVEN:
        # The one call for which kojid names the log itself.
        end = end.partition("; see ")[0] + "; see root.log for more information"
    return f"{operation.value.replace('{arch}', arch)}, {end}"


def end_of_mock(status: int) -> str:
    """Say how mock ended, and which log to read."""
    return f"mock exited with status {status}; see {log_hint(status)} for more information"


def log_hint(status: int) -> str:
    """Return the log that kojid points to."""
    return {10: "build.log", 1: "build.log or root.log"}.get(status, "root.log")


def koji_class(operation: Operation) -> str:
    """Return the name of koji's fault class for a failure of `operation`."""
    return "BuildrootError" if operation in _BUILDROOT_ERRORS else "BuildError"
