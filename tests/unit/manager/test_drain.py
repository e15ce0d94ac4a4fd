"""A drain outlives the daemon, and nothing is in force that is not on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from koji_adjutant.errors import AdjutantError
from koji_adjutant.manager.drain import Drain, DrainSwitch
from koji_adjutant.manager.readiness import HostState, Limits, Machine, judge


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "builder.00000000" / "drain.json"


def test_a_drain_outlives_the_daemon(path: Path) -> None:
    """The next one finds it, with its beginning and the newest reason."""
    switch = DrainSwitch(path)
    assert switch.drain is None
    switch.set("root", "first", 10.0)
    assert switch.set("ann", "second", 20.0) == Drain(10.0, "ann", "second")
    assert DrainSwitch(path).drain == Drain(10.0, "ann", "second")
    assert switch.lift("root") == Drain(10.0, "ann", "second")
    assert DrainSwitch(path).drain is None
    assert switch.lift("root") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"since": "x", "by": "", "reason": ""}'])
def test_a_damaged_file_drains(path: Path, text: str) -> None:
    """Somebody wanted a drain: tasks are not taken because of a broken file."""
    path.parent.mkdir()
    path.write_text(text)
    switch = DrainSwitch(path)
    assert switch.drain is not None
    assert str(path) in switch.drain.sentence
    switch.lift("root")
    assert DrainSwitch(path).drain is None


def test_what_cannot_be_written_is_not_in_force(path: Path) -> None:
    """A drain that the next daemon would not know is refused, and so is one that cannot be removed."""
    path.parent.write_text("in the way")
    switch = DrainSwitch(path)
    assert switch.drain is not None  # the state directory is broken: nothing is taken
    with pytest.raises(AdjutantError, match="cannot be written"):
        switch.set("root", "", 1.0)
    with pytest.raises(AdjutantError, match="cannot be removed"):
        switch.lift("root")


def test_readiness_says_it() -> None:
    """The operator's word stands before those of hub and machine, behind an end of the daemon."""
    machine, limits = Machine(disks=(), load=0.0, cpus=1), Limits()
    state = HostState(enabled=False, capacity=1.0, task_load=9.0, open_tasks=0, drained=Drain(0.0, "ann").sentence)
    assert judge(state, machine, limits).reason == "Draining, asked for by ann"
    stopping = HostState(enabled=True, capacity=1.0, task_load=0.0, open_tasks=0, drained="x", stopping=True)
    assert judge(stopping, machine, limits).reason == "Stopping"
