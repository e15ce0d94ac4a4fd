"""What can be seen of a running daemon, read from its manager at the moment somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from koji_adjutant import __version__
from koji_adjutant.manager.host_manager import HostManager
from koji_adjutant.manager.parts import Parts
from koji_adjutant.manager.readiness import DiskSpace

CHECK_IN_PATIENCE = 180.0
"""Seconds without an answered check-in after which the hub assigns nothing (contract 2.4)."""


@dataclass(frozen=True)
class RunningView:
    """One task that runs here. Times are unix seconds."""

    task_id: int
    method: str
    since: float
    waiting: bool
    """For children: it uses no container."""
    adopted: bool


@dataclass(frozen=True)
class DaemonView:
    """One look at the daemon."""

    host: str
    hub: str
    version: str
    ready: bool
    reason: str
    """Why no task is taken; empty when ready."""
    load: float
    check_in_age: float | None
    """Seconds since the hub last answered a check-in; None: it never has."""
    draining: bool
    adopted: bool
    """Adoption has ended, tasks are taken."""
    tasks: tuple[RunningView, ...]
    disks: Sequence[DiskSpace]

    @property
    def healthy(self) -> bool:
        """Whether the daemon does its work: adoption is over and the hub hears of it."""
        return self.adopted and self.check_in_age is not None and self.check_in_age < CHECK_IN_PATIENCE

    def document(self) -> dict[str, Any]:
        """Return the view as JSON has it."""
        return {
            "host": self.host,
            "hub": self.hub,
            "version": self.version,
            "ready": self.ready,
            "reason": self.reason,
            "load": self.load,
            "check_in_age": self.check_in_age,
            "draining": self.draining,
            "tasks": [vars(task) for task in self.tasks],
            "disks": [{"path": disk.path, "free_mb": disk.free_mb} for disk in self.disks],
        }


class DaemonObserver:
    """Looks at one daemon. Its methods may be called by any thread and change nothing."""

    def __init__(self, manager: HostManager, parts: Parts) -> None:
        self._manager = manager
        self._parts = parts

    def view(self) -> DaemonView:
        """Look now."""
        check_in = self._parts.check_in
        said_at = check_in.said_at
        identity = self._parts.starter.identity
        return DaemonView(
            host=identity.host_name,
            hub=identity.hub_url,
            version=__version__,
            ready=check_in.said.ready,
            reason=check_in.said.reason,
            load=check_in.load,
            check_in_age=None if said_at is None else self._parts.clock.monotonic() - said_at,
            draining=self._manager.draining or self._manager.restart_pending,
            adopted=self._manager.adopted,
            tasks=tuple(
                RunningView(
                    task_id=task.task_id,
                    method=task.context.method,
                    since=task.context.start_ts,
                    waiting=bool(task.context.awaited),
                    adopted=task.context.adopted,
                )
                for task in sorted(self._parts.table.all(), key=lambda task: task.task_id)
            ),
            disks=tuple(self._parts.machine().disks),
        )
