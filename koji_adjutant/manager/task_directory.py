"""Where the state of tasks lies: `<state_dir>/<worker_label>/tasks/<id>/`, one directory a task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog

from koji_adjutant.deep_trees import remove_tree
from koji_adjutant.errors import JournalError
from koji_adjutant.tasks.journal import Journal
from koji_adjutant.tasks.kept_root import kept_until

log = structlog.get_logger(__name__)

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class FoundDirectory:
    """A task directory as it lies there. `journal` None: there is none, or `problem` says why it cannot be used."""

    task_id: int
    path: Path
    modified_at: float
    kept_until: float | None = None
    journal: Journal | None = None
    problem: str = ""


class TaskDirectories:
    """The task directories of one host identity."""

    def __init__(self, state_dir: Path, worker_label: str) -> None:
        self.root = state_dir / worker_label / "tasks"

    def path(self, task_id: int) -> Path:
        return self.root / str(task_id)

    def create_journal(self, task_id: int, method: str, host_id: int, start_ts: float) -> Journal:
        """Start a task's directory anew; what an earlier run of the task left there is removed first.

        Raises:
            DiskFull: the state directory has no room.
            JournalError: it cannot be written for another reason.
        """
        self.remove(task_id)
        try:
            return Journal.create(
                self.path(task_id) / JOURNAL, task_id=task_id, method=method, host_id=host_id, start_ts=start_ts
            )
        except OSError as error:
            raise JournalError(
                f"cannot write the journal of task {task_id} in {self.path(task_id)}: {error.strerror}",
                resolution="Free space in state_dir and make it writable for the daemon.",
            ) from error

    def find(self) -> list[FoundDirectory]:
        """Look at all task directories without opening a journal, oldest task first."""
        if not self.root.is_dir():
            return []
        numbers = sorted(int(entry.name) for entry in self.root.iterdir() if entry.name.isdecimal())
        return [
            FoundDirectory(number, self.path(number), _modified_at(self.path(number)), kept_until(self.path(number)))
            for number in numbers
        ]

    def open_journal(self, found: FoundDirectory) -> FoundDirectory:
        """Return `found` with its journal open, or with the problem that makes it useless."""
        if not (found.path / JOURNAL).exists():
            return FoundDirectory(found.task_id, found.path, found.modified_at, found.kept_until, problem="no journal")
        try:
            journal = Journal.load(found.path / JOURNAL)
        except (JournalError, OSError) as error:
            text = str(error)
            return FoundDirectory(found.task_id, found.path, found.modified_at, found.kept_until, problem=text)
        return FoundDirectory(found.task_id, found.path, found.modified_at, found.kept_until, journal)

    def remove(self, task_id: int) -> None:
        """Remove a task's directory; one that is gone is fine, one that cannot be removed is logged and swept later."""
        try:
            remove_tree(self.path(task_id))
        except OSError as error:
            log.warning("task.directory_not_removed", task_id=task_id, path=str(self.path(task_id)), error=str(error))


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
