"""Where the files of a task's result go: the hub's upload API, or a writable mount of its topdir (design section 7)."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import structlog

from koji_adjutant.errors import ConfigurationError, HubError
from koji_adjutant.hub.names import plain_name, valid_artifact_name
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.hub.uploads import upload_file

__all__ = ["ArtifactStore", "TopdirStore", "UploadStore", "task_directory", "valid_artifact_name"]

log = structlog.get_logger(__name__)

FILE_MODE = 0o644
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Names = Callable[[str], bool]
"""Which file names a store takes."""


class ArtifactStore(Protocol):
    """Takes files of one task into its directory or one below it. Used by the task's thread."""

    def put(self, local: Path, name: str) -> str:
        """Store `local` as `name`, verified; return its path below work/, as results name it. Safe to repeat.

        Raises:
            ValueError: a name that no task method makes.
            HubError: it could not be stored.
            OSError: `local` cannot be read.
        """


def task_directory(task_id: int, below: str = "") -> str:
    """Return the task's directory below work/ (contract 6.1), or the one `below` it (a relative path)."""
    if not all(plain_name(part) for part in below.split("/") if below):
        raise ValueError(f"no directory of a task: {below!r}")
    return f"tasks/{task_id % 10000}/{task_id}" + (f"/{below}" if below else "")


class UploadStore:
    """Stores by upload; needs nothing but the session."""

    def __init__(
        self, session: AdjutantSession, task_id: int, *, below: str = "", names: Names = valid_artifact_name
    ) -> None:
        self._session = session
        self._directory = task_directory(task_id, below)
        self._names = names

    def put(self, local: Path, name: str) -> str:
        _check(name, self._names)
        upload_file(self._session, local, self._directory, name)
        return f"{self._directory}/{name}"


class TopdirStore:
    """Stores into a mounted topdir, by the daemon alone: written beside its place, synced, renamed.

    Directories that are missing are made with the owner and mode of their parent, so that the hub's web server, which owns
    `work/`, can move the files away.
    """

    def __init__(
        self, topdir: str | Path, task_id: int, *, below: str = "", names: Names = valid_artifact_name
    ) -> None:
        self._work = Path(topdir) / "work"
        self._directory = task_directory(task_id, below)
        self._names = names

    def put(self, local: Path, name: str) -> str:
        _check(name, self._names)
        source = os.open(local, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with self._task_directory() as directory:
                self._write(source, directory, name)
        except OSError as error:
            raise HubError(
                f"cannot store {name} below {self._work / self._directory}: {error.strerror}",
                resolution="Check the mount of topdir: it must be writable, have space, and hold no links below work/tasks.",
                retryable=error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE},
            ) from error
        finally:
            os.close(source)
        log.info("topdir.file_stored", name=name, directory=self._directory)
        return f"{self._directory}/{name}"

    def _write(self, source: int, directory: int, name: str) -> None:
        _refuse_special(directory, name)
        temporary = f".{name[:180]}.{secrets.token_hex(6)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        target = os.open(temporary, flags, FILE_MODE, dir_fd=directory)
        try:
            with os.fdopen(os.dup(source), "rb") as reading, os.fdopen(target, "wb") as writing:
                shutil.copyfileobj(reading, writing, 1 << 20)
                writing.flush()
                os.fchmod(target, FILE_MODE)
                _give_to_owner_of(directory, target)
                os.fsync(target)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            raise
        os.fsync(directory)

    @contextmanager
    def _task_directory(self) -> Iterator[int]:
        """Open the task's directory component by component, links refused, and make what is missing."""
        if not self._work.is_dir():
            raise ConfigurationError(
                f"{self._work} is no directory: `artifacts: topdir` needs the hub's topdir mounted writable",
                resolution="Mount it, or set `artifacts: upload`.",
            )
        current = os.open(self._work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for component in self._directory.split("/"):
                below = _open_or_make(current, component)
                os.close(current)
                current = below
            yield current
        finally:
            os.close(current)


def _check(name: str, valid: Names) -> None:
    if not valid(name):
        raise ValueError(f"no task makes a file of that name: {name!r}")


def _open_or_make(parent: int, name: str) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)
        made = os.open(name, _DIRECTORY, dir_fd=parent)
        os.fchmod(made, stat.S_IMODE(os.fstat(parent).st_mode))
        _give_to_owner_of(parent, made)
        return made
    return os.open(name, _DIRECTORY, dir_fd=parent)


def _give_to_owner_of(directory: int, fd: int) -> None:
    """Give a file or directory to the owner of `directory`; without the right to (a mount that maps owners) leave it."""
    owner = os.fstat(directory)
    with contextlib.suppress(PermissionError):
        os.fchown(fd, owner.st_uid, owner.st_gid)


def _refuse_special(directory: int, name: str) -> None:
    """Replace only a regular file, as the hub's own upload does (contract 6.2)."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EEXIST, f"{name} exists and is not a regular file")
