"""Reads the logs of a running task where the daemon spools them. Names come from the network, content from a build."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from koji_adjutant.hub.names import valid_log_name
from koji_adjutant.monitoring.display import LogText, whole_characters

LINE_SEARCH = 4096
"""Bytes within which a piece that begins anywhere is made to begin with a line."""


@dataclass(frozen=True)
class LogSize:
    """A log that is there."""

    name: str
    size: int


@dataclass(frozen=True)
class LogPiece:
    """A part of a log, fit for display. `end`: offset of the first byte behind it, in bytes of the file."""

    start: int
    end: int
    text: str


def list_logs(directory: Path) -> list[LogSize]:
    """Return the logs that lie there, by name; none if the task has just ended."""
    try:
        with os.scandir(directory) as entries:
            found = [
                LogSize(entry.name, entry.stat(follow_symlinks=False).st_size)
                for entry in entries
                if valid_log_name(entry.name) and entry.is_file(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda log: log.name)


class OpenLog:
    """One log, open: it can be read to its end even when the task has ended and its directory is gone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def open(cls, directory: Path, name: str) -> OpenLog | None:
        """Open a log; None if there is none of that name (or it is not a plain file)."""
        if not valid_log_name(name):
            return None
        try:
            fd = os.open(directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, IsADirectoryError):
            return None
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENXIO}:  # a link; a pipe or device
                return None
            raise
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            return None
        return cls(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Who asked for it may be gone before the first byte is read.
        self.close()

    def close(self) -> None:
        """Close the file; safe to repeat."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def size(self) -> int:
        """Return the bytes there are by now."""
        return os.fstat(self._fd).st_size

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset`."""
        return os.pread(self._fd, limit, offset)

    def line_start(self, offset: int) -> int:
        """Return the offset of the first line that begins at or soon after `offset`; else `offset` itself."""
        if offset <= 0:
            return 0
        found = self.read(offset - 1, LINE_SEARCH).find(b"\n")
        return offset + found if found >= 0 else offset

    def next_piece(self, offset: int, limit: int, text: LogText, *, last: bool = False) -> LogPiece:
        """Return what follows `offset`; a character that is not whole yet is left for later unless this is the `last`."""
        data = self.read(offset, limit)
        if not last or len(data) == limit:
            data = data[: whole_characters(data)]
            if data.endswith(b"\r") and len(data) > 1:
                data = data[:-1]  # with the newline that may follow it is one end of a line
        return LogPiece(offset, offset + len(data), text.take(data))

    def piece_before(self, end: int, limit: int) -> LogPiece:
        """Return up to `limit` bytes that end at `end`, from the beginning of a line on."""
        end = max(0, min(end, self.size()))
        start = self.line_start(end - limit) if end > limit else 0
        if start >= end:
            start = max(0, end - limit)
        return LogPiece(start, end, LogText().take(self.read(start, end - start)))
