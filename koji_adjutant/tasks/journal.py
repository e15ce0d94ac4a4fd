"""What a task has done so far, on disk, so that a daemon can die between any two acts (design section 5).

One JSON object a line, appended and fsynced: first a header (format, task, host, `start_ts`), then for each act an
`intent` before it and a `result` (or `failed`) after it. A last line cut short by a crash is dropped; anything else
unreadable is `JournalError`, and the task goes back to the hub.

The file ends with zeros: space taken before it is needed. A build that fills the disk must not keep its own end from being
recorded, nor that of others.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from koji_adjutant.disk import is_full, naming, take, told_by
from koji_adjutant.errors import Interrupted, JournalError

FORMAT = 1
RESERVE = 64 << 10
"""Bytes that are kept ready behind the last entry while the disk has them: several times what a task has to say at its end."""

Recover = Callable[[Any], tuple[bool, Any]]
"""Asked when an intent has no result: gets what was noted with the intent; `(True, result)` if the act happened."""


class Journal:
    """The journal of one task. Thread-safe; `once` of different names may run side by side."""

    def __init__(self, path: Path, header: dict[str, Any], entries: list[dict[str, Any]], end: int) -> None:
        """`end`: size of the entries that are in the file; what follows is zeros."""
        self.path = path
        self.header = header
        self._end = end
        self._lock = threading.Lock()
        self._results: dict[str, Any] = {}
        self._intents: dict[str, Any] = {}
        for entry in entries:
            self._apply(entry)
        self._fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        self._room = os.fstat(self._fd).st_size

    @classmethod
    def create(cls, path: Path, **header: Any) -> Journal:
        """Start a journal; an old one at `path` (an earlier run of the task) is replaced.

        Raises:
            DiskFull: there is no room for a task's journal, so there is none for the task.
            OSError: it cannot be written for another reason.
        """
        header = {"format": FORMAT, **header}
        line = _line(header)
        with naming(path, f"cannot write task journal {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_new(path, line)
        return cls(path, header, [], len(line))

    @classmethod
    def load(cls, path: Path) -> Journal:
        """Read a journal back.

        Raises:
            JournalError: not a journal, or of a format this version does not know.
        """
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise JournalError(f"cannot read task journal {path}: {error.strerror}") from error
        written = raw.rstrip(b"\0")
        whole, _, cut = written.rpartition(b"\n")
        try:
            lines = [json.loads(line) for line in whole.split(b"\n")] if whole else []
        except ValueError as error:
            raise JournalError(f"task journal {path} is damaged: {error}") from error
        if not lines or lines[0].get("format") != FORMAT:
            found = lines[0].get("format") if lines else "nothing"
            raise JournalError(f"task journal {path} has format {found}, this version reads {FORMAT}")
        if cut:
            _clear(path, len(whole) + 1, len(cut))
        return cls(path, lines[0], lines[1:], len(whole) + 1)

    def once(
        self,
        name: str,
        act: Callable[[], Any],
        *,
        recover: Recover | None = None,
        note: Any = None,
    ) -> Any:
        """Return the recorded result of `name`, or do it now and record what it returned (JSON data).

        An intent without a result means that a daemon died in between: `recover(note)` then finds out whether the act
        happened. Without `recover` the act must be safe to repeat, and is repeated. An act that raises is not recorded
        as done: its effect is unknown until `recover` has looked.
        """
        with self._lock:
            if name in self._results:
                return self._results[name]
            pending = name in self._intents
            noted = self._intents.get(name)
        if pending and recover is not None:
            happened, result = recover(noted)
            if happened:
                self._record({"result": name, "value": result})
                return result
        if not pending:
            self._record({"intent": name, "note": note})
        result = act()
        self._record({"result": name, "value": result})
        return result

    def remember(self, name: str, make: Callable[[], Any]) -> Any:
        """Return the recorded value of `name`, or record what `make` returns now: a time stamp, an offset, a random name.

        For values, not for acts: there is no intent, and no fsync, since such a value matters only as long as the
        containers of this boot live.
        """
        with self._lock:
            if name in self._results:
                return self._results[name]
        value = make()
        self._record({"result": name, "value": value}, durable=False)
        return value

    def done(self, name: str) -> bool:
        """Whether `name` has a recorded result."""
        with self._lock:
            return name in self._results

    def result(self, name: str, default: Any = None) -> Any:
        """Return the recorded result of `name`, or `default`."""
        with self._lock:
            return self._results.get(name, default)

    def note(self, name: str) -> Any:
        """Return what was noted with the intent of `name`, or None."""
        with self._lock:
            return self._intents.get(name)

    def pending(self) -> list[str]:
        """Names with an intent and no result, oldest first."""
        with self._lock:
            return [name for name in self._intents if name not in self._results]

    def close(self) -> None:
        """Close the file; the journal stays on disk."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def delete(self) -> None:
        """Forget the task: it has ended at the hub."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _record(self, entry: dict[str, Any], *, durable: bool = True) -> None:
        with self._lock:
            if self._fd < 0:
                raise Interrupted(f"task journal {self.path} is closed: the daemon gave the task up")
            try:
                self._append(_line(entry), durable=durable)
            except OSError as error:
                if is_full(error):
                    raise told_by(error, self.path) from error
                raise JournalError(
                    f"cannot write task journal {self.path}: {error.strerror}",
                    resolution="Make state_dir writable for the daemon; the task is given back to the hub.",
                ) from error
            self._apply(entry)

    def _append(self, line: bytes, *, durable: bool) -> None:
        """Write behind the last entry; one that did not fit is overwritten by the next."""
        end = self._end + len(line)
        if end + RESERVE // 2 > self._room:
            # Without room for more, what is ready is used up.
            with contextlib.suppress(OSError):
                take(self._fd, self._end, len(line) + RESERVE)
                self._room = end + RESERVE
        try:
            _write_at(self._fd, self._end, line)
            if durable:
                os.fdatasync(self._fd)
        except OSError:
            # Else the end of this line would stand behind a shorter one that overwrites it.
            with contextlib.suppress(OSError):
                _write_at(self._fd, self._end, bytes(min(len(line), os.fstat(self._fd).st_size - self._end)))
            raise
        self._end = end

    def _apply(self, entry: dict[str, Any]) -> None:
        if "intent" in entry:
            self._intents[entry["intent"]] = entry.get("note")
        elif "result" in entry:
            self._results[entry["result"]] = entry.get("value")


def _line(entry: dict[str, Any]) -> bytes:
    return (json.dumps(entry, separators=(",", ":")) + "\n").encode()


def _write_at(fd: int, at: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, at)
        at, view = at + written, view[written:]


def _write_new(path: Path, line: bytes) -> None:
    """Write a new file whole with its reserve, or leave what is there."""
    fresh = path.with_suffix(".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        take(fd, 0, len(line) + RESERVE)
        _write_at(fd, 0, line)
        os.fsync(fd)
        fresh.replace(path)
    finally:
        os.close(fd)
        fresh.unlink(missing_ok=True)
    _fsync_directory(path.parent)


def _clear(path: Path, at: int, size: int) -> None:
    """Put zeros over a part of a file, which needs no space."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        _write_at(fd, at, bytes(size))
    finally:
        os.close(fd)


def _fsync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
