"""Every error this project raises on purpose, as one tree.

Each error says three things an operator needs at 3 a.m.: what failed (`brief`, with names and values), the evidence
(`details`) and what to do about it (`resolution`). Failures of a container runtime carry a `reason` (a short stable code,
used as a metric label and in verdict rules) and `retryable` (whether the same call may succeed later without anybody
changing anything).

Koji's own faults stay koji's classes; `tasks.faults` is the one place where errors of this tree become Koji faults.
"""

from __future__ import annotations

from typing import ClassVar


class AdjutantError(Exception):
    """Root of the tree. `str(error)` is one paragraph: brief, details, resolution."""

    exit_code: ClassVar[int] = 1

    def __init__(self, brief: str, *, details: str = "", resolution: str = "") -> None:
        super().__init__(brief)
        self.brief = brief
        self.details = details
        self.resolution = resolution

    def __str__(self) -> str:
        return "\n".join(part for part in (self.brief, self.details, self.resolution) if part)


class ConfigurationError(AdjutantError):
    """A configuration file, variable or command line cannot be used as it is."""


class UsageError(AdjutantError):
    """The command line asks for something that cannot be: exit code 2, as optparse does."""

    exit_code = 2


class HubError(AdjutantError):
    """The hub could not be reached or refused us; `retryable` tells an outage from a refusal."""

    def __init__(self, brief: str, *, details: str = "", resolution: str = "", retryable: bool = False) -> None:
        super().__init__(brief, details=details, resolution=resolution)
        self.retryable = retryable


class CorruptPackage(HubError):
    """A file that should be an rpm is none, or is cut short within its headers."""


class SessionLost(HubError):
    """Another daemon took this host's exclusive session: stop, touch nothing, free nothing (design section 8)."""


class Interrupted(AdjutantError):
    """A wait was ended because the daemon stops or the task was cancelled; never a result."""


class TaskCancelled(Interrupted):
    """The hub says the task is no longer ours (cancelled, freed or reassigned)."""


class DaemonStopping(Interrupted):
    """The daemon stops; the task's containers go on and the next daemon adopts them."""


class MailError(AdjutantError):
    """The mail server could not be reached or did not take a message."""


class JournalError(AdjutantError):
    """A task's journal cannot be read or written; its task is given back to the hub."""


class ContainerError(AdjutantError):
    """Root of what a container runtime can do wrong."""

    reason: str = "container"
    retryable: bool = False

    def __init__(
        self,
        brief: str,
        *,
        details: str = "",
        resolution: str = "",
        reason: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(brief, details=details, resolution=resolution)
        if reason is not None:
            self.reason = reason
        if retryable is not None:
            self.retryable = retryable


class ImageError(ContainerError):
    """An image is missing, denied, not allowed or of another architecture.

    Reasons: `missing`, `denied`, `not-allowed`, `wrong-arch`, `pull-failed` (retryable).
    """

    reason = "image"


class ContainerNotFound(ContainerError):
    """There is no container of that id or name."""

    reason = "not-found"


class ContainerLost(ContainerError):
    """A container that should live is gone or dead. Reasons: `evicted`, `node-lost`, `deleted`, `exited`."""

    reason = "deleted"
    retryable = True


class OutOfMemory(ContainerError):
    """The memory limit ended a container or a step. `details` names limit and peak in bytes."""

    reason = "oom"


class RuntimeUnavailable(ContainerError):
    """The runtime itself does not answer (socket missing, service down, API server away)."""

    reason = "unavailable"
    retryable = True


class ExecError(ContainerError):
    """A command could not be started, or its end is unknown. Reasons: `not-started`, `unknown-end` (retryable)."""

    reason = "exec"


class CopyError(ContainerError):
    """A file could not be copied. Reasons: `missing`, `link-outside`, `too-large`, `disk-full`, `broken-stream`."""

    reason = "copy"


class DiskFull(ContainerError):
    """A file system of this machine has no room left; named in `brief`. Given back: another host may have room."""

    reason = "disk-full"


class ContainerTimeout(ContainerError):
    """A deadline passed. A time-out is an error, never an exit code."""

    reason = "timeout"


class CapabilityMissing(ContainerError):
    """The runtime cannot do what was asked (commit, companion, user namespace, isolation)."""

    reason = "capability"
