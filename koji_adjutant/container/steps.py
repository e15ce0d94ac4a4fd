"""Durable steps: what they are (design section 5). `step_service` runs them, the C program in `runner/` does the work inside.

A step is one command inside a container that outlives its stream, the daemon and the runtime's service. It is started
at most once by its name; its output goes through a pipe into a log the command cannot open; its end is a status file
written last. The follower reads both by offset, as often as needed.

Volume layout, below `STEPS_DIR` in both containers of a task (root only, 0700)::

    NAME/request    what to run (written by us before the start)
    NAME/out        stdout (and stderr, unless separate) so far
    NAME/err        stderr, if separate
    NAME/status     one JSON object, written once, by rename
    NAME/touched    mtime: the last time a follower read (orphan clock)
    NAME/cancel     exists: somebody wants the step ended
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from koji_adjutant.container.interface import ContainerHandle

STEPS_DIR = "/run/adjutant/steps"
"""The volume of a task, writable by its root, in `task` and `tools`."""
BIN_DIR = "/run/adjutant/bin"
"""Read-only mount of static programs (`adjutant-runner`, `busybox`) in both."""


class StepEnd(enum.StrEnum):
    """Why a step ended."""

    EXITED = "exited"
    """By itself: `exit_code` or `signal` says how."""
    TIMEOUT = "timeout"
    NO_OUTPUT = "no-output"
    CANCELLED = "cancelled"
    ORPHANED = "orphaned"
    """No follower touched it for `orphan_timeout`: the hub has given the task away."""
    NOT_STARTED = "not-started"
    """The program could not be executed, or the offline probe failed; `message` says which."""


@dataclass(frozen=True)
class StepSpec:
    """One command to run as a durable step. Times in seconds, sizes in bytes.

    `name` is unique within the task (`[a-z0-9][a-z0-9_.-]*`): starting the same name again starts nothing.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment of the command."""
    workdir: str = "/"
    uid: int = 0
    gid: int = 0
    groups: Sequence[int] = ()
    umask: int = 0o022
    chroot: str | None = None
    """Change root before exec (used in `tools` to run in the build root)."""
    timeout: float = 86400.0
    no_output_timeout: float | None = None
    orphan_timeout: float = 900.0
    log_cap: int = 1 << 30
    """At most so many bytes of output are kept; the rest is read and dropped, and its reaching is named in the status."""
    separate_stderr: bool = False
    offline: bool = False
    """Prove before exec that only `lo` is there, and give it mock's default route; else NOT_STARTED."""
    personality: str | None = None
    """`linux32` for 32-bit targets on a 64-bit machine, else None."""
    nofile: int | None = None
    """Limit of open files; lowered to the container's own hard limit."""


@dataclass(frozen=True)
class StepStatus:
    """The end of a step as its runner wrote it."""

    run_id: str
    end: StepEnd
    exit_code: int | None
    signal: int | None
    started_at: float
    ended_at: float
    out_bytes: int
    err_bytes: int = 0
    dropped_bytes: int = 0
    """Output beyond `log_cap`."""
    oom_kills: int = 0
    """Processes of the container that the memory limit killed during the step."""
    peak_memory: int = 0
    message: str = ""

    @property
    def ok(self) -> bool:
        return self.end is StepEnd.EXITED and self.exit_code == 0


WriteAt = Callable[[int, bytes], object]
"""`write(offset, data)`: idempotent by offset, called in order from one thread."""


class StepService(Protocol):
    """Starts and follows the steps of one task. All methods may be repeated; a repeated start starts nothing."""

    def start(self, where: ContainerHandle, spec: StepSpec) -> str:
        """Start `spec` in `where` if its name has not been started before; return the run id either way.

        Raises:
            ContainerLost, ContainerNotFound: `where` is dead or gone.
            DiskFull: the volume has no room for the step's status, which is taken before the command runs.
            ExecError: it could not be started.
        """

    def follow(
        self,
        where: ContainerHandle,
        name: str,
        write: WriteAt,
        *,
        write_err: WriteAt | None = None,
        offset: int = 0,
        err_offset: int = 0,
        interrupt: threading.Event | None = None,
    ) -> StepStatus:
        """Deliver the output from `offset` on until the step has ended and its output is read to the end.

        Setting `interrupt` ends the wait with `Interrupted` within 2 s; the step goes on.

        Raises:
            OutOfMemory, ContainerLost: no status will come: the container is dead; what output there is was delivered.
            RuntimeUnavailable: the runtime did not answer for `patience` seconds (a setting of the service).
        """

    def cancel(self, where: ContainerHandle, name: str) -> None:
        """Ask a step to end: TERM to its processes, KILL after 2 s; its status says CANCELLED. Returns at once."""
