"""What became of the last tasks of this host, kept over restarts: one JSON object a line in the state directory.

For people only. A line that cannot be written or read is lost, and nothing else: neither a task nor a start fails of it.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from koji_adjutant.config.secrets import mask_text

log = structlog.get_logger(__name__)

FILE = "history.jsonl"
KEEP = 500
"""Tasks that are remembered; the file holds at most twice as many."""
MAX_REASON = 4000
"""Characters of a failure's text that are kept."""


@dataclass(frozen=True)
class TaskRecord:
    """One run of a task that has ended here. Times are unix seconds."""

    task_id: int
    method: str
    label: str
    result: str
    """closed, failed, refused, freed, cancelled or left (to the next daemon), as the metrics have it."""
    began: float
    ended: float
    reason: str = ""
    """Why it did not end well; empty when it did."""
    phases: tuple[tuple[str, float], ...] = ()
    """Name and begin of each phase; it ended with the next one's begin."""
    container: str = ""
    image: str = ""
    digest: str = ""
    prepared: str = ""
    adopted: bool = False

    def document(self) -> dict[str, Any]:
        """Return the record as JSON has it."""
        return asdict(self)


def record_from(document: Any) -> TaskRecord:
    """Read a record back.

    Raises:
        TypeError, ValueError, KeyError: it is none.
    """
    phases = tuple((str(name), float(began)) for name, began in document.pop("phases"))
    texts = {name: str(document.get(name) or "") for name in ("reason", "container", "image", "digest", "prepared")}
    return TaskRecord(
        task_id=int(document["task_id"]),
        method=str(document["method"]),
        label=str(document["label"]),
        result=str(document["result"]),
        began=float(document["began"]),
        ended=float(document["ended"]),
        phases=phases,
        adopted=bool(document.get("adopted")),
        **texts,
    )


def shortened(reason: str) -> str:
    """Return a failure's text fit to be kept: without credentials, not longer than MAX_REASON."""
    text = mask_text(reason)
    return text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]} ... [{len(text) - MAX_REASON} more characters]"


class TaskHistory:
    """The last `keep` records, oldest first. Thread-safe."""

    def __init__(self, path: Path, keep: int = KEEP) -> None:
        self._path = path
        self._keep = keep
        self._lock = threading.Lock()
        self._records: deque[TaskRecord] = deque(maxlen=keep)
        self._lines = 0
        self._load()

    def add(self, record: TaskRecord) -> None:
        """Remember a record."""
        with self._lock:
            self._records.append(record)
            try:
                self._write(record)
            except OSError as error:
                log.warning("history.not_written", path=str(self._path), error=str(error))

    def last(self, count: int, before: float | None = None) -> list[TaskRecord]:
        """Return up to `count` records, the latest first; only those that ended earlier than `before`."""
        with self._lock:
            found = [record for record in reversed(self._records) if before is None or record.ended < before]
        return found[:count]

    def of(self, task_id: int) -> TaskRecord | None:
        """Return the last record of a task."""
        with self._lock:
            return next((record for record in reversed(self._records) if record.task_id == task_id), None)

    def _load(self) -> None:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("history.not_read", path=str(self._path), error=str(error))
            return
        self._lines = len(lines)
        unreadable = 0
        for line in lines[-self._keep :]:
            try:
                self._records.append(record_from(json.loads(line)))
            except (ValueError, TypeError, KeyError, AttributeError):
                unreadable += 1
        if unreadable:
            # The last line of a daemon that was killed, or another version's.
            log.warning("history.lines_dropped", path=str(self._path), lines=unreadable)

    def _write(self, record: TaskRecord) -> None:
        if self._lines >= 2 * self._keep:
            self._rewrite()
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a+b", opener=_private) as file:
            # A line cut short by a crash or a full disk must not take this one with it.
            at_end = file.seek(0, os.SEEK_END)
            whole = not at_end or os.pread(file.fileno(), 1, at_end - 1) == b"\n"
            file.write((b"" if whole else b"\n") + _line(record))
        self._lines += 1

    def _rewrite(self) -> None:
        fresh = self._path.with_suffix(".new")
        with open(fresh, "wb", opener=_private) as file:
            file.writelines(_line(record) for record in self._records)
        fresh.replace(self._path)
        self._lines = len(self._records)


def _line(record: TaskRecord) -> bytes:
    return (json.dumps(record.document(), separators=(",", ":")) + "\n").encode()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
