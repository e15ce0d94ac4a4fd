"""The checked-out tree on this machine: judged whole, resolved and copied without following a link out of it.

Nobody writes to it any more when it gets here: its container is gone. It is still hostile: a build or a server made it.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import koji

from koji_adjutant.deep_trees import remove_tree
from koji_adjutant.scm.bounded import CheckoutLimits

MAX_DEPTH = 200
"""Directories below one another. Whoever walks the tree after us may recurse."""
MAX_LINKS = 40
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def check_tree(top: Path, limits: CheckoutLimits, *, what: str) -> None:
    """Look at every entry: only files, directories and links, not too many, not too large, not too deep.

    Raises:
        koji.BuildError: naming `what` was checked out and the entry; also if `top` itself is a link.
    """
    try:
        if not stat.S_ISDIR(top.lstat().st_mode):
            raise koji.BuildError(f"checkout of {what} is no directory")
        _check_entries(top, limits, what)
    except OSError as error:
        raise koji.BuildError(
            f"checkout of {what} cannot be read: {_shown(error.filename or top, top)}: {error.strerror}"
        ) from error


def _check_entries(top: Path, limits: CheckoutLimits, what: str) -> None:
    size = 0
    for files, (entry, depth) in enumerate(_walk(top), 1):
        status = entry.stat(follow_symlinks=False)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no file")
            raise koji.BuildError(f"checkout of {what} holds {_shown(entry.path, top)}, which is {kind}")
        if depth > MAX_DEPTH:
            raise koji.BuildError(f"checkout of {what} is deeper than {MAX_DEPTH} directories")
        # Not the blocks: a file with holes is read whole.
        size += status.st_size if stat.S_ISREG(status.st_mode) else 0
        if files > limits.max_files or size > limits.max_bytes:
            raise koji.BuildError(f"checkout of {what} is larger than {limits.shown}")


def resolve(top: Path, relative: str) -> Path | None:
    """Return the file or directory that `relative` leads to, links followed as long as they stay below `top`.

    None: it leads out, around in circles, or to nothing. The result is a path without links below `top`.
    """
    pending = [part for part in relative.split("/") if part not in {"", "."}]
    found: list[str] = []
    links = 0
    while pending:
        part = pending.pop(0)
        if part == "..":
            if not found:
                return None
            found.pop()
            continue
        path = top.joinpath(*found, part)
        try:
            if not stat.S_ISLNK(path.lstat().st_mode):
                found.append(part)
                continue
            target = os.readlink(path)
        except OSError:
            return None
        links += 1
        if target.startswith("/") or links > MAX_LINKS:
            return None
        pending[:0] = [piece for piece in target.split("/") if piece not in {"", "."}]
    return top.joinpath(*found)


def read_text(top: Path, relative: str, *, max_bytes: int = 16 << 20) -> str | None:
    """Return a file below `top` as text, at most `max_bytes` of it; None if it leads out or is no regular file."""
    path = resolve(top, relative)
    if path is None or not stat.S_ISREG(path.lstat().st_mode):
        return None
    with path.open("rb") as stream:
        return stream.read(max_bytes).decode("utf-8", "replace")


def copy_tree(top: Path, target: Path) -> None:
    """Copy a tree that was checked, for code of this machine to work on: links stay links, all belongs to this process.

    Nothing of git's own goes along: git run in the copy would obey the settings and hooks of whoever wrote there. What is
    of use comes from `clone.copy_clone`.
    """
    remove_tree(target)
    shutil.copytree(top, target, symlinks=True, ignore=_git_directories)


def _git_directories(_directory: str, names: list[str]) -> set[str]:
    return {name for name in names if name.lower() == ".git"}


def _walk(top: Path) -> Iterator[tuple[os.DirEntry[str], int]]:
    pending = [(str(top), 1)]
    while pending:
        directory, depth = pending.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                yield entry, depth
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, depth + 1))


def _shown(path: str | Path, top: Path) -> str:
    return ascii(os.path.relpath(path, top))
