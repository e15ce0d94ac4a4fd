"""What a task's handler is given to work with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from koji_adjutant.container.interface import (
    LABEL_MANAGED,
    LABEL_START_TS,
    LABEL_TASK,
    LABEL_WORKER,
    ContainerManager,
)
from koji_adjutant.errors import DaemonStopping, TaskCancelled
from koji_adjutant.tasks.journal import Journal
from koji_adjutant.tasks.progress import Progress

if TYPE_CHECKING:
    from koji_adjutant.config.adjutant import AdjutantConfig
    from koji_adjutant.config.kojid_options import KojidOptions
    from koji_adjutant.hub.identity import HostIdentity
    from koji_adjutant.hub.session import AdjutantSession
    from koji_adjutant.tasks.shared import SharedServices


class Interruption:
    """Ends every wait of one task. Thread-safe; the first reason stands."""

    def __init__(self, *also: threading.Event) -> None:
        """`also`: further events to set, for waits that watch another one."""
        self.event = threading.Event()
        self._also = list(also)
        self._lock = threading.Lock()
        self._reason = ""
        self._cancelled = False

    def stop(self, reason: str = "the daemon stops") -> None:
        """End waits with DaemonStopping: the task's containers go on, the next daemon adopts them."""
        self._set(reason, cancelled=False)

    def cancel(self, reason: str) -> None:
        """End waits with TaskCancelled: the hub says that the task is no longer ours."""
        self._set(reason, cancelled=True)

    @property
    def cancelled(self) -> bool:
        with self._lock:
            return self._cancelled

    def error(self) -> DaemonStopping | TaskCancelled:
        """Return the error that a wait must raise once `event` is set."""
        with self._lock:
            return TaskCancelled(self._reason) if self._cancelled else DaemonStopping(self._reason)

    def check(self) -> None:
        """Raise if somebody asked for the end."""
        if self.event.is_set():
            raise self.error()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`; raise as soon as the end is asked for."""
        if self.event.wait(seconds):
            raise self.error()

    def _set(self, reason: str, *, cancelled: bool) -> None:
        with self._lock:
            # A cancel outranks a stop: nobody will want what the containers make.
            if not self._reason or (cancelled and not self._cancelled):
                self._reason = reason
                self._cancelled = cancelled
        self.event.set()
        for event in self._also:
            event.set()

    def wakes(self, event: threading.Event) -> None:
        """Set `event` too when the end is asked for."""
        self._also.append(event)
        if self.event.is_set():
            event.set()


@dataclass
class TaskContext:
    """Everything of one task. Made by the manager before the handler runs, the same for a new and an adopted task."""

    task_id: int
    method: str
    start_ts: float
    """When the hub opened the task; with the host it tells runs of one task apart."""
    identity: HostIdentity
    options: KojidOptions
    config: AdjutantConfig
    session: AdjutantSession
    """This thread's own session (a subsession)."""
    new_session: Callable[[], AdjutantSession]
    """Makes a further subsession for a thread of the task; its maker logs it out."""
    runtime: ContainerManager
    journal: Journal
    directory: Path
    """State of the task on disk: journal, logs, steps, results. Removed by the manager when the task has ended."""
    shared: SharedServices
    """What all tasks of the daemon share: prepared images, package cache, static programs."""
    adopted: bool = False
    interruption: Interruption = field(default_factory=Interruption)
    wake: threading.Event = field(default_factory=threading.Event)
    """Set by the manager when the hub says that an awaited child has finished."""
    awaited: frozenset[int] = frozenset()
    """Children the task waits for just now; set by its thread, read by the main loop."""
    on_awaited: Callable[[], None] = lambda: None
    """Tells the main loop that the task has begun to wait for children."""
    given_up: Callable[[], None] = lambda: None
    """Called when the task fails although its error would give it back (verdict policy): marks its build as failed."""
    log: Any = field(default_factory=structlog.get_logger)
    label: str = ""
    """What koji's own pages call the task besides its method: package, arch, target."""
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.interruption.wakes(self.wake)
        self.progress = Progress(self.start_ts, self.journal.remember)

    def labels(self, role: str) -> dict[str, str]:
        """Labels of a container of this task (`container.interface`)."""
        return {
            LABEL_MANAGED: "true",
            LABEL_WORKER: self.identity.worker_label,
            LABEL_TASK: str(self.task_id),
            LABEL_START_TS: repr(self.start_ts),
            "io.koji.adjutant.role": role,
        }

    @property
    def upload_dir(self) -> str:
        """The task's directory below work/ at the hub (contract 6.1)."""
        return f"tasks/{self.task_id % 10000}/{self.task_id}"
