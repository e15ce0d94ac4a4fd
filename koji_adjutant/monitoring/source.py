"""What the application shows, as it asks for it: `observe.DaemonObserver` in the daemon, something made up in tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from koji_adjutant.buildroot.prepared import PreparedImage
from koji_adjutant.manager.history import TaskRecord
from koji_adjutant.monitoring.problems import Problem
from koji_adjutant.monitoring.view import DaemonView


class Source(Protocol):
    """All methods answer at once, from any thread, and change nothing."""

    def view(self) -> DaemonView:
        """Return one look at the daemon."""

    def history(self, count: int, before: float | None = None) -> list[TaskRecord]:
        """Return up to `count` tasks that have ended (before a unix time), the latest first."""

    def ended(self, task_id: int) -> TaskRecord | None:
        """Return the last run of a task that has ended here."""

    def images(self) -> Sequence[PreparedImage]:
        """Return the prepared images as they were last seen."""

    def problems(self) -> list[Problem]:
        """Return the last warnings and errors, the latest first."""

    def configuration(self) -> dict[str, Any]:
        """Return the settings in force, secrets hidden."""

    def log_directory(self, task_id: int) -> Path | None:
        """Return where the logs of a running task lie; None if it does not run here."""
