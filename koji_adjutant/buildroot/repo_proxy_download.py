"""A file on its way into the package cache, and those that are sent it meanwhile, each at its own speed."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Protocol

_STALL = 300.0
"""Seconds without a byte after which a reader gives a download up."""


class Upstream(Protocol):
    """An open answer of a repository: its length in bytes (None: unknown) and its bytes."""

    @property
    def length(self) -> int | None: ...

    def chunks(self) -> Iterator[bytes]: ...


Fetch = Callable[[], contextlib.AbstractContextManager[Upstream | None]]
"""Opens the answer of a repository; None if it is anything but the whole file."""


class Download:
    """A file on its way into the cache. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changed = threading.Condition()
        self._received = 0
        self._length: int | None = None
        self._end: str | None = None

    def begin(self, length: int) -> None:
        with self._changed:
            self._length = length
            self._changed.notify_all()

    def advance(self, size: int) -> None:
        with self._changed:
            self._received += size
            self._changed.notify_all()

    def finish(self, end: str) -> None:
        """`done`, or `failed`; the first word stands."""
        with self._changed:
            self._end = self._end or end
            self._changed.notify_all()

    def lacking(self) -> int:
        """Bytes that are promised and have not come."""
        with self._changed:
            return 0 if self._length is None or self._end is not None else max(0, self._length - self._received)

    def wait_for_length(self) -> int | None:
        """The file's length when it is known, None if it will not be cached (fetch it yourself)."""
        with self._changed:
            self._changed.wait_for(lambda: self._length is not None or self._end is not None, _STALL)
            return self._length

    def wait_beyond(self, position: int) -> int:
        """Bytes that can be read now; more than `position`, but at the end.

        Raises:
            OSError: the download failed or stalls.
        """
        with self._changed:
            moved = self._changed.wait_for(lambda: self._received > position or self._end is not None, _STALL)
            if not moved or (self._end == "failed" and self._received <= position):
                raise OSError(f"the download of {self.path.name} ended after {self._received} bytes")
            return self._received


class CachedFile:
    """A file to be sent: complete in the cache, or growing. `length` is that of the whole. Close it."""

    def __init__(self, stream: BinaryIO, length: int, download: Download | None = None) -> None:
        self._stream = stream
        self.length = length
        self._download = download

    def send(self, connection: socket.socket, start: int, end: int) -> None:
        """Send bytes [start, end) as they come, by the kernel. Raises OSError if they will not come or go."""
        position = start
        while position < end:
            ready = self._download.wait_beyond(position) if self._download else self.length
            sent = connection.sendfile(self._stream, position, min(end, ready) - position)
            if not sent:
                raise OSError("a file of the package cache is shorter than it was")
            position += sent

    def close(self) -> None:
        self._stream.close()


def open_whole(path: Path) -> CachedFile | None:
    """Open a file of the cache, which counts as use of it. None: it is not there."""
    try:
        stream = path.open("rb")
    except OSError:
        return None
    with contextlib.suppress(OSError):
        os.utime(stream.fileno())
    return CachedFile(stream, os.fstat(stream.fileno()).st_size)


def open_part(download: Download) -> BinaryIO | None:
    """Open what has come so far; it grows, and stays readable under whatever name. None: somebody has removed it."""
    try:
        return download.path.open("rb")
    except OSError:
        return None


def join(download: Download, stream: BinaryIO) -> CachedFile | None:
    """Wait until the length is known. None, with `stream` closed: it will not be cached."""
    length = download.wait_for_length()
    if length is None:
        stream.close()
        return None
    return CachedFile(stream, length, download)


def store(download: Download, upstream: Upstream, stream: FileIO) -> None:
    """Write what comes into the file of the download, whose length `begin` has told.

    Raises:
        OSError: less or more comes than was promised, or the disk.
    """
    received = 0
    for chunk in upstream.chunks():
        _write(stream, chunk)
        received += len(chunk)
        download.advance(len(chunk))
    if received != upstream.length:
        raise OSError(f"{received} of {upstream.length} bytes came")


def _write(stream: FileIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[stream.write(rest) :]
