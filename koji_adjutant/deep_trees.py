"""Directory trees that a build or a checkout made: removed and looked through however deep they are.

`shutil.rmtree` and `os.walk` call themselves for each level: a thousand directories in one another, which any build can
make, end them with a RecursionError.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

REMOVE_SECONDS = 900.0
"""How long a removal may take; what is left is for the next sweep."""
LOOK_SECONDS = 120.0
"""How long a look through a tree may take."""


def remove_tree(path: Path, *, seconds: float = REMOVE_SECONDS) -> None:
    """Remove a directory and all below it, but nothing of another file system; one that is gone is fine.

    Safe to repeat; any thread may call it. Its paths may be longer than the kernel takes.

    Raises:
        OSError: something is left.
    """
    if not os.path.lexists(path):
        return
    command = ["rm", "-rf", "--one-file-system", "--", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"removal of {path} took longer than {seconds:g} seconds") from error
    except subprocess.CalledProcessError as error:
        complaint = error.stderr[-500:].decode("utf-8", "replace").strip()
        raise OSError(f"cannot remove {path}: {complaint}") from error


def files_below(directory: Path, *, seconds: float = LOOK_SECONDS) -> Iterator[os.stat_result]:
    """Look at all below `directory` that is no directory, links not followed.

    What cannot be looked at is left out, and so is what is further away than a path may be long, or than `seconds`.
    """
    deadline = time.monotonic() + seconds
    waiting = [os.fspath(directory)]
    while waiting and time.monotonic() < deadline:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif (found := _looked_at(entry)) is not None:
                        yield found
        except OSError:
            continue


def walk(top: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk a tree as `os.walk` does from the top down, names in order: directory, directories in it, everything else.

    Links to directories are named among the directories and not followed; who takes names out of that list keeps the walk out
    of them. What cannot be read is passed over, as by `os.walk`.
    """
    waiting = [top]
    while waiting:
        directory = waiting.pop()
        try:
            with os.scandir(directory) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        directories = [entry.name for entry in entries if _leads_to_directory(entry)]
        known = frozenset(directories)
        yield directory, directories, [entry.name for entry in entries if entry.name not in known]
        waiting += [directory / name for name in reversed(directories) if not (directory / name).is_symlink()]


def _leads_to_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _looked_at(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None
