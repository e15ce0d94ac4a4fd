"""The files of the package cache's directory: packages under their names, and what is on its way there.

Several daemons and commands may use one directory: a partial file says whose it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)
_PART = ".part"
_OWNER = re.compile(r"\.(\d+)-\d+\.part$")
_REMAINS_AGE = 3600.0
_STARTED = time.time()
"""A process of the same id may have been here before: in a container that is the rule."""


def part_path(directory: Path, name: str, serial: int) -> Path:
    """Where this process downloads `name` to; no two have the same `serial`."""
    return directory / name[:2] / f"{name}.{os.getpid()}-{serial}{_PART}"


def packages(directory: Path) -> Iterator[tuple[float, int, Path]]:
    """Time of last use, size and path of each package. What a broken disk or others' deleting hides is left out."""
    return (found for found in _files(directory) if found[2].suffix != _PART)


def part_bytes(directory: Path) -> int:
    """Bytes of everything that is on its way."""
    return sum(size for _, size, path in _files(directory) if path.suffix == _PART)


def remove_remains(directory: Path) -> int:
    """Remove the downloads that killed processes left; returns the bytes removed.

    One taken for dead by mistake (its id is of another container) loses a package of the cache, and no build anything.
    """
    removed = 0
    for changed, size, path in _files(directory):
        if path.suffix == _PART and _is_left(path, changed):
            with contextlib.suppress(OSError):
                path.unlink()
                removed += size
    return removed


def remove_oldest(directory: Path, excess: int) -> tuple[int, int]:
    """Remove the least recently used packages until `excess` bytes are gone; returns the bytes removed and those left."""
    files = sorted(packages(directory))
    removed = 0
    for _, size, path in files:
        if removed >= excess:
            break
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("package_cache.not_evicted", path=str(path), error=str(error))
            continue
        removed += size
    return removed, sum(size for _, size, _ in files) - removed


def discard(path: Path) -> None:
    """Remove a file, if that can be done."""
    with contextlib.suppress(OSError):
        path.unlink()


def sync(path: Path) -> None:
    """A file that a crash has cut must never stand in the cache under its name."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _is_left(path: Path, changed: float) -> bool:
    owner = _OWNER.search(path.name)
    if owner is None:
        return changed < time.time() - _REMAINS_AGE
    if int(owner[1]) == os.getpid():
        return changed < _STARTED
    return changed < time.time() - _REMAINS_AGE or not _lives(int(owner[1]))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _files(directory: Path) -> Iterator[tuple[float, int, Path]]:
    with contextlib.suppress(OSError):
        for path in directory.glob("??/*"):
            with contextlib.suppress(OSError):
                info = path.stat()
                yield info.st_mtime, info.st_size, path
