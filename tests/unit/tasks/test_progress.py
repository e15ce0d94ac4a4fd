"""Phases of a task follow mock's states, and an adopted task shows when they really began."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from koji_adjutant.errors import Interrupted
from koji_adjutant.tasks.progress import MOST, Progress


class Memory:
    """A journal's `remember`."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def __call__(self, name: str, make: Callable[[], float]) -> float:
        return self.known.setdefault(name, make())


def names(progress: Progress) -> list[str]:
    """Phases so far."""
    return [phase.name for phase in progress.look().phases]


def test_states_of_mock_are_phases() -> None:
    """What has a word of its own begins a phase; all of it is what the task does just now."""
    progress = Progress(1.0, Memory())
    for text in ("Start: chroot init", "Start: installing minimal buildroot with dnf", "Finish: chroot init"):
        progress.state(text)
    progress.state("Start: build setup for a.src.rpm")
    progress.state("Start: rpmbuild a.src.rpm")
    assert names(progress) == ["start", "root", "requires", "build"]
    progress.state("Start: Outputting list of installed packages")
    progress.state("Finish: Outputting list of installed packages")
    assert (progress.look().phase, progress.look().doing) == ("build", "rpmbuild a.src.rpm")


def test_a_phase_begun_twice_in_a_row_is_one() -> None:
    """What repeats its state does not begin anew; a phase that comes again does."""
    progress = Progress(1.0, Memory())
    for name in ("root", "root", "build", "root"):
        progress.enter(name)
    assert names(progress) == ["start", "root", "build", "root"]


def test_an_adopted_task_keeps_its_times() -> None:
    """The next daemon runs the handler from the top; begins stay what they were."""
    memory = Memory()
    first = Progress(1.0, memory)
    first.enter("root")
    first.enter("build")
    second = Progress(1.0, memory)
    second.enter("root")
    assert second.look().phases == first.look().phases[:2]
    second.enter("build")
    assert second.look().phases == first.look().phases


def test_a_closed_journal_fails_no_task() -> None:
    """Only the time is taken anew."""

    def closed(name: str, make: Callable[[], float]) -> float:
        raise Interrupted("closed")

    progress = Progress(1.0, closed)
    progress.enter("root")
    assert names(progress) == ["start", "root"]


def test_phases_are_bounded() -> None:
    """A parent that waits for ever is no leak."""
    progress = Progress(1.0, Memory())
    for _ in range(MOST):
        progress.enter("waiting")
        progress.enter("work")
    assert len(names(progress)) == MOST
