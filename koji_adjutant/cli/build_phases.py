"""Where a buildArch task stands, read from its journal: the phases a person who waits can tell apart. Pure."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Phase(StrEnum):
    """In the order they come; the value is what the terminal shows."""

    REPOSITORY = "repository"
    """Metadata of the repositories, merged if they changed."""
    ROOT = "build root"
    SOURCE = "source package"
    REQUIRES = "BuildRequires"
    BUILD = "rpmbuild"
    COLLECT = "results"
    KEEP = "keeping the root for next time"
    REMOVE = "removing containers"


LAST_ATTEMPT = 10


def attempt_of(done: Callable[[str], bool]) -> int:
    """Return the number of the attempt a task is at; `done` asks its journal."""
    return next(number for number in range(1, LAST_ATTEMPT + 1) if not done(f"attempt-{number}-over"))


def phase_of(done: Callable[[str], bool], srpm: str) -> Phase:
    """Return the phase a task is in; `srpm` is the source package's file name.

    The log offset of each step is journaled before the step starts (design section 5).
    """
    attempt = attempt_of(done)
    prefix = "log:" if attempt == 1 else f"log:a{attempt}-"
    if done(f"line:state:Finish: build phase for {srpm}"):
        return Phase.COLLECT
    if done(f"{prefix}rpmbuild-b"):
        return Phase.BUILD
    if done(f"{prefix}builddep-1"):
        return Phase.REQUIRES
    if done(f"{prefix}install-srpm"):
        return Phase.SOURCE
    return Phase.ROOT
