"""Where one-person builds keep what the next one uses again: a directory per set of repositories, groups and arch.

`${XDG_CACHE_HOME:-~/.cache}/koji-adjutant/desk/NAME/`, locked while a build uses it. A second build of the same set at the
same time gets a directory of its own, gone after it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOCK = "lock"
TEMPORARY = "temporary-"
UNUSED_SECONDS = 30 * 86400.0
"""A set that nobody has built from for so long is forgotten."""
TEMPORARY_SECONDS = 2 * 86400.0
"""What a killed build, or one with --keep, left of a directory of its own."""


@dataclass(frozen=True)
class DeskDirectory:
    """A directory this process has locked."""

    path: Path
    lasting: bool
    """Whether the next build of the same set finds it again."""

    @property
    def host_name(self) -> str:
        """Name of the Koji host that builds here; no other directory has it."""
        return host_name(self.path)

    @property
    def hub(self) -> Path:
        return self.path / "hub"

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def record(self) -> Path:
        """What was made here, and out of what."""
        return self.path / "desk.json"


def host_name(path: Path) -> str:
    """Return the host's name for a directory. Pure."""
    return f"desk-{hashlib.sha256(str(path).encode()).hexdigest()[:10]}"


def desk_base(environ: Mapping[str, str]) -> Path:
    """Return the directory of all desks; made when missing, in the temporary directory where there is no cache."""
    home = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    base = Path(home) / "koji-adjutant" / "desk"
    try:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(base, os.W_OK | os.X_OK):
            return base.resolve()
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="koji-adjutant-"))


@contextmanager
def desk_directory(base: Path, name: str, *, keep: bool = False) -> Iterator[DeskDirectory]:
    """Lock the directory `name`, or a fresh one while another process uses it; `keep` spares a fresh one.

    Raises:
        OSError: the disk.
    """
    lock = _lock(base / name)
    if lock is not None:
        try:
            os.utime(base / name / LOCK)
            yield DeskDirectory(base / name, lasting=True)
        finally:
            os.close(lock)
        return
    path = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=base))
    lock = _lock(path)
    try:
        yield DeskDirectory(path, lasting=False)
    finally:
        if not keep:
            shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def forget_old(base: Path, now: float | None = None) -> list[str]:
    """Remove directories nobody has used for long; return their host names, whose containers may go too."""
    gone = []
    for path in base.iterdir():
        limit = TEMPORARY_SECONDS if path.name.startswith(TEMPORARY) else UNUSED_SECONDS
        if (time.time() if now is None else now) - _used_at(path) < limit:
            continue
        lock = _lock(path)
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)
            gone.append(host_name(path))
    return gone


def _used_at(path: Path) -> float:
    try:
        return (path / LOCK).stat().st_mtime
    except OSError:
        return time.time()


def _lock(path: Path) -> int | None:
    """Lock a directory, made when missing; None while another process has it. The kernel lets go when we die."""
    while True:
        path.mkdir(exist_ok=True, mode=0o700)
        try:
            fd = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # removed by one that cleans up
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        if _is_there(path / LOCK, fd):
            return fd
        os.close(fd)


def _is_there(path: Path, fd: int) -> bool:
    """Whether the file that is open still has its name: one that cleans up may have been quicker."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False
