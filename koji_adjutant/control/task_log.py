"""A log of a task that runs here, read by offset from the task's directory while it grows.

The file is kept open: what was written last is read even if the task's directory has gone meanwhile. Where another file
stands in its place, or it has become shorter, the log has begun anew, and so does the reader.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from koji_adjutant.hub.names import valid_log_name

PIECE = 64 << 10
BUILD_LOG = "build.log"
LOOK_BACK = 4 << 20
"""How far back last lines are looked for, in bytes."""


class LogReader:
    """Reads one log. For one thread; a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def read(self, offset: int, limit: int = PIECE) -> tuple[int, bytes]:
        """Return a piece and where it begins: at `offset`, or at 0 when the log has begun anew. Empty: nothing is there yet.

        Raises:
            OSError: it cannot be read, or is no file.
        """
        if self._fd is None and not self._open():
            return offset, b""
        assert self._fd is not None
        if data := os.pread(self._fd, limit, offset):
            return offset, data
        if self._replaced():
            self._close()
            return 0, self.read(0, limit)[1]
        if os.fstat(self._fd).st_size < offset:
            return 0, os.pread(self._fd, limit, 0)
        return offset, b""

    def last_lines(self, count: int) -> int:
        """Return the offset at which the last `count` lines begin, within `LOOK_BACK` bytes of the end."""
        if self._fd is None and not self._open():
            return 0
        assert self._fd is not None
        size = os.fstat(self._fd).st_size
        if not count:
            return size
        start = max(0, size - LOOK_BACK)
        tail = os.pread(self._fd, size - start, start)
        at = len(tail) - tail.endswith(b"\n")
        for _ in range(count):
            at = tail.rfind(b"\n", 0, at)
            if at < 0:
                return start
        return start + at + 1

    def _open(self) -> bool:
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(f"{self._path} is not a regular file")
        self._fd = fd
        return True

    def _replaced(self) -> bool:
        assert self._fd is not None
        try:
            found = self._path.lstat()
        except OSError:
            return False
        ours = os.fstat(self._fd)
        return (found.st_dev, found.st_ino) != (ours.st_dev, ours.st_ino)

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def logs_of(directory: Path) -> dict[str, os.stat_result]:
    """Return the logs of a task by name; `directory` is its spool, which need not exist."""
    try:
        entries = [entry for entry in os.scandir(directory) if valid_log_name(entry.name)]
        return {
            entry.name: entry.stat(follow_symlinks=False)
            for entry in sorted(entries, key=lambda entry: entry.name)
            if entry.is_file(follow_symlinks=False)
        }
    except FileNotFoundError:
        return {}


def default_log(logs: dict[str, os.stat_result]) -> str | None:
    """Return the log that a reader most likely wants: build.log, else the one written last."""
    if BUILD_LOG in logs:
        return BUILD_LOG
    names: Sequence[str] = sorted(logs, key=lambda name: (logs[name].st_mtime, name))
    return names[-1] if names else None
