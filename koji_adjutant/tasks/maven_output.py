"""What a Maven build has made, read as what it is: the work of somebody who may want to hurt the daemon.

A tree is walked within bounds, and a pom that would grow while it is parsed is not parsed.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import koji

from koji_adjutant.container.interface import CopiedFile
from koji_adjutant.errors import CopyError
from koji_adjutant.tasks.maven_root import FoundFile

MAX_ENTRIES = 500_000
"""Of one tree, whatever they are; a large local repository has some ten thousands."""
MAX_DEPTH = 64
NO_DIRECTORY = frozenset({"missing", "link-outside"})
"""Reasons of a list that was asked of what is not a directory, or of what is gone by now."""

Lister = Callable[[str], Sequence[CopiedFile]]


def regular_files(top: str, listed: Lister, check: Callable[[], None], log: Any) -> Iterator[FoundFile]:
    """Yield the regular files below `top`, a directory's own before those below it; links and the like are passed over.

    Raises:
        koji.BuildError: the tree is larger or deeper than a build's can be.
        CopyError: a directory, or `top` itself, cannot be read.
        Interrupted: by `check`, which is called for each directory.
    """
    seen, waiting = 0, [""]
    while waiting:
        check()
        directory = waiting.pop()
        entries = _entries(top, directory, listed, log)
        seen += len(entries)
        if seen > MAX_ENTRIES:
            raise koji.BuildError(f"{top} holds more than {MAX_ENTRIES} entries")
        if entries and len(PurePosixPath(directory).parts) > MAX_DEPTH:
            raise koji.BuildError(f"{top} is deeper than {MAX_DEPTH} directories: {directory}")
        yield from (FoundFile(directory, entry.name, entry.size) for entry in entries if entry.is_regular)
        below = [posixpath.join(directory, entry.name) for entry in entries if not entry.is_regular]
        waiting += reversed(below)


def _entries(top: str, directory: str, listed: Lister, log: Any) -> list[CopiedFile]:
    path = posixpath.join(top, directory) if directory else top
    try:
        return sorted(listed(path), key=lambda entry: entry.name)
    except CopyError as error:
        if not directory or error.reason not in NO_DIRECTORY:
            raise
        log.warning("maven.entry_passed_over", path=path, error=str(error))
        return []


def harmless_pom(name: str, data: bytes) -> str:
    """Return the text of a pom that can be parsed: koji's parser expands entities, without a bound, in the daemon.

    Raises:
        koji.BuildError: it defines entities, or is in an encoding that would hide them.
    """
    if b"\0" in data:
        raise koji.BuildError(f"{name} is not in an encoding that a pom may have: it has NUL bytes")
    if b"<!ENTITY" in data.upper():
        raise koji.BuildError(f"{name} defines entities, which a pom may not")
    return data.decode("utf-8", "replace")
