"""Where a task stands, for people: its phases with their times, what it does just now, its container and image.

Nothing here decides anything. Times stand in the journal, so that an adopted task shows when its phases really began.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from koji_adjutant.errors import AdjutantError

START = "start"
"""From the opening of the task to its first phase."""
WAIT = "waiting"
"""For children."""
PHASE_OF_STATE = (
    ("chroot init", "root"),
    ("build setup for ", "requires"),
    ("rpmbuild ", "build"),
    ("buildsrpm", "source"),
)
"""Beginnings of what mock's state.log says, and the phase that begins with it."""
MOST = 64
"""Phases that are kept of one task; a parent that waits again and again goes on in the last one."""


@dataclass(frozen=True)
class PhaseTime:
    """A phase and when it began, unix time. It ended when the next one began."""

    name: str
    began: float


@dataclass(frozen=True)
class Standing:
    """One look at a task's progress. Empty texts: not known, or there is none."""

    phases: tuple[PhaseTime, ...]
    doing: str = ""
    container: str = ""
    image: str = ""
    """What the container's programs come from: the tools image."""
    digest: str = ""
    prepared: str = ""
    """The prepared image that the root came from."""

    @property
    def phase(self) -> str:
        return self.phases[-1].name


class Progress:
    """Written by the task's thread, read by anybody."""

    def __init__(self, started: float, remember: Callable[[str, Callable[[], float]], float]) -> None:
        """`remember` is `Journal.remember` of the task."""
        self._remember = remember
        self._lock = threading.Lock()
        self._standing = Standing((PhaseTime(START, started),))
        self._times: dict[str, int] = {}
        self._begun: list[str] = []
        """States that have begun and not finished; the task's thread only."""

    def look(self) -> Standing:
        """Return how things stand."""
        with self._lock:
            return self._standing

    def enter(self, name: str) -> None:
        """The phase `name` begins, unless it is the one that runs; `name` is one of few."""
        with self._lock:
            phases = self._standing.phases
            if phases[-1].name == name or len(phases) >= MOST:
                return
            self._times[name] = count = self._times.get(name, 0) + 1
        began = max(phases[-1].began, self._time(f"phase:{name}:{count}"))
        with self._lock:
            self._standing = replace(self._standing, phases=(*phases, PhaseTime(name, began)))

    def state(self, text: str) -> None:
        """Take a line of mock's state.log: `Start: ...` or `Finish: ...`."""
        act, _, what = text.partition(": ")
        if act != "Start":
            # What it stands in goes on.
            self._begun = [one for one in self._begun if one != what]
            self._set(doing=self._begun[-1] if self._begun else "")
            return
        self._begun.append(what)
        self._set(doing=what)
        for beginning, phase in PHASE_OF_STATE:
            if what.startswith(beginning):
                self.enter(phase)

    def waits(self, text: str) -> None:
        """The start of its container waits for this; empty: for nothing any more."""
        self._set(doing=text or (self._begun[-1] if self._begun else ""))

    def in_container(self, name: str) -> None:
        """The task works in this container."""
        self._set(container=name)

    def from_image(self, reference: str, digest: str, prepared: str = "") -> None:
        """Its container is made of this image, its root of the prepared one."""
        self._set(image=reference, digest=digest, prepared=prepared)

    def _set(self, **known: str) -> None:
        with self._lock:
            self._standing = replace(self._standing, **known)  # type: ignore[arg-type] # all of these are texts

    def _time(self, name: str) -> float:
        try:
            return float(self._remember(name, time.time))
        except AdjutantError:
            # A journal that is closed or has no room is said by the work itself; showing it must not fail a task.
            return time.time()
