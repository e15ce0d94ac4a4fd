"""The files of a build, read and written on this machine where the daemon sees them as paths (design section 5).

A build owns these directories: it may put a link, a device or a pipe in any place, at any time. So every component is
opened by itself and not through a link, only regular files are read, never more than announced, and nothing blocks.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from koji_adjutant.container.interface import CopiedFile
from koji_adjutant.errors import CopyError

_CHUNK = 1 << 20
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE})
"""Trouble of this machine, of which a build is innocent."""


class HostFiles:
    """A directory of this machine that a container has mounted at `mounted_at`. Thread-safe."""

    def __init__(self, directory: Path, mounted_at: str) -> None:
        self._directory = directory
        self._mounted_at = PurePosixPath(mounted_at)

    def covers(self, path: str) -> bool:
        """Whether `path`, as the container sees it, is in this directory."""
        return PurePosixPath(path).is_relative_to(self._mounted_at)

    def list(self, directory: str, *, max_entries: int) -> builtins.list[CopiedFile]:
        """List a directory, without following links.

        Raises:
            CopyError: `missing`, `link-outside`, or more than `max_entries`.
        """
        found: builtins.list[CopiedFile] = []
        with self._opened(directory) as fd, os.scandir(fd) as entries:
            for entry in entries:
                if len(found) >= max_entries:
                    raise CopyError(f"{directory} holds more than {max_entries} entries", reason="too-large")
                status = entry.stat(follow_symlinks=False)
                found.append(CopiedFile(entry.name, status.st_size, stat.S_ISREG(status.st_mode)))
        return found

    def copy_from(self, path: str, target: BinaryIO, *, max_bytes: int) -> int:
        """Copy one regular file out, return its size.

        Raises:
            CopyError: `missing`, `not-regular`, `link-outside`, `too-large`.
        """
        with self._opened(str(PurePosixPath(path).parent)) as directory:
            fd = _open(PurePosixPath(path).name, os.O_RDONLY | os.O_NONBLOCK, directory, path)
            with os.fdopen(fd, "rb", buffering=0) as stream:
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):
                    raise CopyError(f"{path} is no regular file", reason="not-regular")
                size = 0
                while chunk := stream.read(_CHUNK):
                    size += len(chunk)
                    if size > max_bytes:
                        raise CopyError(f"{path} is larger than the {max_bytes} bytes allowed", reason="too-large")
                    target.write(chunk)
                return size

    def put(self, source: Path, path: str) -> None:
        """Write a file of this machine to `path`, readable for all; what stands there is replaced.

        Raises:
            CopyError: `missing` or `link-outside`: the directory is not what it was made as, or one is in the way.
        """
        name = PurePosixPath(path).name
        with self._opened(str(PurePosixPath(path).parent)) as directory, source.open("rb") as stream:
            fresh = f".{name}.new"
            try:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(fresh, dir_fd=directory)
                # A file of its own: a pipe that the build puts there again would block for ever.
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NONBLOCK
                with os.fdopen(_open(fresh, flags, directory, path), "wb") as out:
                    shutil.copyfileobj(stream, out, _CHUNK)
                os.rename(fresh, name, src_dir_fd=directory, dst_dir_fd=directory)
            except IsADirectoryError as error:
                raise CopyError(f"{path} cannot be written: {error.strerror}", reason="link-outside") from error

    @contextlib.contextmanager
    def _opened(self, directory: str) -> Iterator[int]:
        """Open a directory component by component."""
        flags = os.O_RDONLY | os.O_DIRECTORY
        fd = os.open(self._directory, flags | os.O_CLOEXEC)
        try:
            for part in PurePosixPath(directory).relative_to(self._mounted_at).parts:
                inner = _open(part, flags, fd, directory)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)


def _open(name: str, flags: int, directory: int, path: str) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=directory)
    except FileNotFoundError as error:
        raise CopyError(f"there is no {path}", reason="missing") from error
    except OSError as error:
        if error.errno in _OURS:
            raise CopyError(
                f"{path} cannot be opened: {error.strerror}", reason="unreadable", retryable=True
            ) from error
        # ELOOP for a link, ENOTDIR for anything else in the place of a directory, ENXIO for a socket.
        raise CopyError(f"{path} cannot be opened: {error.strerror}", reason="link-outside") from error
