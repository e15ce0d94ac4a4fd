"""The logs of one task on this machine's disk, between the build that writes them and the hub that gets them.

The spool lies in the task's state directory and survives the daemon: what an adopted task reads again from its steps is
recognised by offset (design section 3). A crash of the whole machine may lose the end of a file; the steps die with it.

A full disk must not keep a failing task from saying why it fails: what the disk does not take is held in memory, up to a
bound, and written as soon as there is room. Only a daemon that is killed meanwhile loses it.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import structlog

from koji_adjutant.disk import is_full
from koji_adjutant.hub.names import valid_log_name

log = structlog.get_logger(__name__)

HELD_BYTES = 1 << 20
"""Of each log, what is held in memory while the disk is full."""


class LogSpool:
    """A `log_sink.LogSink` of one directory. Thread-safe; keeps no file open.

    A log that reaches `max_bytes_per_log` ends with a line that says so; what comes after is dropped, and counted as if it
    were held so that its writer goes on.
    """

    def __init__(self, directory: Path, max_bytes_per_log: int) -> None:
        self._directory = directory
        self._limit = max_bytes_per_log
        self._lock = threading.Lock()
        self._beyond: dict[str, int] = {}
        """Bytes taken of logs that are full."""
        self._held: dict[str, bytes] = {}
        """What the disk had no room for: it follows what the file holds."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, log: str, offset: int, data: bytes) -> None:
        """Put `data` at `offset`; bytes held already are skipped.

        Raises:
            ValueError: a gap, or a name no log has.
            OSError: the disk, but for a full one.
        """
        with self._lock:
            held = self._size(log)
            if offset < 0 or offset > held:
                raise ValueError(f"log {log}: data for offset {offset} would leave a gap, {held} bytes are held")
            self._extend(log, held, data[held - offset :])

    def append(self, log: str, data: bytes) -> None:
        """Write at the end."""
        with self._lock:
            self._extend(log, self._size(log), data)

    def size(self, log: str) -> int:
        """How many bytes of `log` were taken; 0 for one it does not know."""
        with self._lock:
            return self._size(log)

    def names(self) -> list[str]:
        """Names of all logs, empty ones too, sorted."""
        found = {entry.name for entry in os.scandir(self._directory) if valid_log_name(entry.name) and _regular(entry)}
        with self._lock:
            return sorted(found | self._held.keys())

    def path(self, log: str) -> Path:
        """Where `log` lies. Raises ValueError for a name no log has."""
        if not valid_log_name(log):
            raise ValueError(f"not a name of a log: {log!r}")
        return self._directory / log

    def read(self, log: str, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset`; nothing for a log it does not know."""
        with self._lock:
            data = self._from_disk(log, offset, limit)
            at = offset + len(data) - self._on_disk(log)
            return data + self._held.get(log, b"")[at : at + limit - len(data)] if at >= 0 else data

    def tail(self, log: str, size: int) -> bytes:
        """Return the last `size` bytes of a log, fewer if it is shorter."""
        return self.read(log, max(0, self.stored(log) - size), size)

    def stored(self, log: str) -> int:
        """How many bytes there are to upload."""
        with self._lock:
            return self._stored(log)

    def _stored(self, log: str) -> int:
        return self._on_disk(log) + len(self._held.get(log, b""))

    def _size(self, log: str) -> int:
        return self._stored(log) + self._beyond.get(log, 0)

    def _from_disk(self, log: str, offset: int, limit: int) -> bytes:
        try:
            fd = os.open(self.path(log), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(fd, limit, offset)
        finally:
            os.close(fd)

    def _on_disk(self, log: str) -> int:
        try:
            found = os.lstat(self.path(log))
        except FileNotFoundError:
            return 0
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(self.path(log)))
        return found.st_size

    def _extend(self, log: str, held: int, data: bytes) -> None:
        if not data and held:
            return
        notice = f"\n[log cut: the limit of {self._limit} bytes is reached]\n".encode()
        room = max(0, self._limit - len(notice) - held)
        if log in self._beyond or held >= self._limit:
            self._beyond[log] = self._beyond.get(log, 0) + len(data)
        elif len(data) <= room:
            self._put(log, data)
        else:
            self._put(log, data[:room] + notice)
            self._cut(log, held + len(data), f"the limit of {self._limit} bytes is reached")

    def _put(self, log: str, data: bytes) -> None:
        """Write what is held and then `data`; hold what the disk does not take."""
        held = self._held.get(log, b"")
        size = self._on_disk(log)
        written, failure = self._write_at(log, size, held + data)
        if failure is not None and not is_full(failure):
            # What was taken before stays taken: a size that goes back would be a gap for its writer.
            self._replace_held(log, held[written:])
            raise failure
        rest = (held + data)[written:]
        self._replace_held(log, b"")
        if rest:
            self._hold(log, size + written, rest)

    def _replace_held(self, log: str, data: bytes) -> None:
        self._held.pop(log, None)
        if data:
            self._held[log] = data

    def _hold(self, log: str, on_disk: int, data: bytes) -> None:
        notice = f"\n[log cut: no space left on device, {self.path(log)}]\n".encode()
        if len(data) <= HELD_BYTES:
            self._held[log] = data
            return
        self._held[log] = data[: HELD_BYTES - len(notice)] + notice
        self._cut(log, on_disk + len(data), "no space left on device")

    def _cut(self, log: str, taken: int, why: str) -> None:
        """Drop from now on what comes; `taken` bytes of the log have come so far."""
        self._beyond[log] = taken - self._stored(log)
        _log_cut(log, why)

    def _write_at(self, log: str, at: int, data: bytes) -> tuple[int, OSError | None]:
        """Write as much as the disk takes; return how much that was, and what kept the rest out."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        view, done = memoryview(data), 0
        try:
            fd = os.open(self.path(log), flags, 0o600)
            try:
                while done < len(data):
                    done += os.pwrite(fd, view[done:], at + done)
            finally:
                os.close(fd)
        except OSError as error:
            return done, error
        return done, None


def _regular(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)


def _log_cut(name: str, why: str) -> None:
    log.warning("log.cut", log=name, reason=why)
