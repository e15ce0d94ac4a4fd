"""Full disks: how one is recognised and named, and space that is taken before it is needed.

A full disk is nobody's bug: the task that meets it is given back with the name of the file system, and what must be
written all the same (a step's status, a task's journal) has its space from the start.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from koji_adjutant.errors import DiskFull

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the kernel says when there is no room: on the file system, or for this user."""
NEARLY_NOTHING = 1 << 20
"""A file system with fewer free bytes counts as full: what needs more has just failed there."""


def is_full(error: BaseException | None) -> bool:
    """Whether an error says that a file system has no room."""
    return isinstance(error, OSError) and error.errno in FULL


def free_bytes(path: Path) -> int | None:
    """Return what a writer at `path` may still fill; None if that cannot be told. No inodes left is no room either."""
    try:
        found = os.statvfs(_existing(path))
    except OSError:
        return None
    if found.f_files and not found.f_favail:
        return 0
    return found.f_bavail * found.f_frsize


def mount_point(path: Path) -> Path:
    """Return where the file system of `path` is mounted, as `df` names it."""
    here = _existing(path.absolute())
    while not here.is_mount() and here != here.parent:
        here = here.parent
    return here


def disk_full(path: Path, what: str) -> DiskFull:
    """Return the error for something that could not be done at `path`; `what` says what, as in "cannot write X"."""
    free = free_bytes(path)
    left = "unknown" if free is None else f"{free >> 20} MB"
    return DiskFull(
        f"no space left on {mount_point(path)}: {what}",
        details=f"path {path}, {left} free for the daemon",
        resolution="Free space there or make it larger; the host takes tasks again once `minspace` is free.",
    )


def told_by(error: OSError, fallback: Path) -> DiskFull:
    """Return the error for an OSError that `is_full`; `fallback` stands for a path that it does not name."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else fallback
    return disk_full(path, f"cannot write {path}")


@contextmanager
def naming(path: Path, what: str) -> Iterator[None]:
    """Turn an OSError of a full disk into `DiskFull`; others pass."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise disk_full(path, what) from error


def take(fd: int, start: int, size: int) -> None:
    """Take space for a file from `start` on, zeros until it is written. A file system that cannot do so is left alone.

    Raises:
        OSError: there is no room (`is_full`).
    """
    try:
        os.posix_fallocate(fd, start, size)
    except OSError as error:
        if is_full(error):
            raise


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
