"""The cache of things the tests make once: named by the hash of their makers, made by one process, put there by rename."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
KEPT = 3
"""So many old products of a kind stay: a checkout of another branch may still use them."""


def cache_dir() -> Path:
    """Return the project's directory below the user's cache, made when missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "koji-adjutant"
    path.mkdir(parents=True, exist_ok=True)
    return path


def hash_of(paths: Iterable[Path], *more: str) -> str:
    """Hash names and contents of files, and `more`, to twelve hex digits."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(HERE)}\0".encode() + path.read_bytes() + b"\0")
    digest.update("\0".join(more).encode())
    return digest.hexdigest()[:12]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` as a lock file; another process waits. The kernel lets go when the holder dies."""
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def made_once(kind: str, digest: str, make: Callable[[Path], None]) -> Path:
    """Return `<cache>/KIND-DIGEST`, made by `make(directory)` when it is not there.

    Several processes may ask at once: one makes it, the others wait for it. What a killed maker left is thrown away.
    """
    home = cache_dir()
    done = home / f"{kind}-{digest}"
    with locked(home / f"{kind}.lock"):
        if not done.is_dir():
            unfinished = home / f"{kind}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(done)
            _forget_old(home, kind)
        os.utime(done)
    return done


def _forget_old(home: Path, kind: str) -> None:
    old = sorted(home.glob(f"{kind}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in old[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
