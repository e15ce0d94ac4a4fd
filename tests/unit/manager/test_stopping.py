"""How the daemon ends: keep, free, abandon, restart (design section 5, contract 2.13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import koji
import koji.tasks
import pytest

from koji_adjutant.errors import SessionLost
from koji_adjutant.manager.loop_errors import Reaction
from koji_adjutant.manager.parts import LoopEnd
from koji_adjutant.manager.stopping import StopMode, stop, stop_mode
from tests.support.manager_fakes import FakeHub, FakeRuntime, SteppingClock

Start = Callable[..., Any]
Make = Callable[..., type[koji.tasks.BaseTaskHandler]]


@pytest.mark.parametrize(
    ("end", "setting", "mode"),
    [
        (LoopEnd(Reaction.STOP, ""), "keep", StopMode.KEEP),
        (LoopEnd(Reaction.STOP, ""), "drain", StopMode.KEEP),
        (LoopEnd(Reaction.STOP, ""), "free", StopMode.FREE),
        (LoopEnd(Reaction.STOP, "", by_task=True), "keep", StopMode.FREE),
        (LoopEnd(Reaction.RESTART, ""), "free", StopMode.RESTART),
        (LoopEnd(Reaction.ABANDON, "", SessionLost("x")), "free", StopMode.ABANDON),
        (LoopEnd(Reaction.ABANDON, "", koji.AuthExpired("x")), "free", StopMode.ABANDON),
        (LoopEnd(Reaction.ABANDON, "", KeyError("x")), "free", StopMode.KEEP),
    ],
)
def test_mode(end: LoopEnd, setting: str, mode: StopMode) -> None:
    """Why the loop ended and the setting decide how the daemon ends."""
    assert stop_mode(end, setting) is mode


def running(start: Start, hub: FakeHub, runtime: FakeRuntime) -> tuple[Any, int]:
    """Start a daemon with one sleeping task that has a container; its check-in thread runs."""
    bench = start()
    bench.parts.check_in.clock = SteppingClock()
    bench.parts.check_in.start()
    task = hub.add_task("sleep", 600)
    bench.one_pass()
    runtime.add("mine", task, hub.tasks[task]["start_ts"])
    return bench, task


def test_keep_leaves_everything_running(start: Start, hub: FakeHub, runtime: FakeRuntime) -> None:
    """The hub hears `ready=False`; task, journal and container stay, threads and login end."""
    bench, task = running(start, hub, runtime)
    assert stop(bench.parts, StopMode.KEEP)
    assert hub.said[-1][1] is False
    assert hub.state(task) == "OPEN"
    assert list(runtime.containers) == ["mine"]
    assert (bench.directory(task) / "journal.jsonl").exists()
    assert bench.parts.table.get(task).ended.wait(60)
    assert "host.freeTasks" not in hub.names()
    assert bench.session.closed


def test_free_gives_all_tasks_back(start: Start, hub: FakeHub, runtime: FakeRuntime) -> None:
    """As kojid's shutdown: killed, freed, load 0 and not ready, logged out."""
    bench, task = running(start, hub, runtime)
    assert stop(bench.parts, StopMode.FREE)
    assert hub.state(task) == "FREE"
    assert not runtime.containers
    assert hub.said[-1] == (0.0, False)
    assert bench.session.closed


def test_abandon_says_nothing_and_touches_nothing(start: Start, hub: FakeHub, runtime: FakeRuntime) -> None:
    """Another daemon owns the name: not one call, not one container."""
    bench, task = running(start, hub, runtime)
    hub.wait_for(lambda: bool(hub.said))
    before = len(hub.calls)
    assert not stop(bench.parts, StopMode.ABANDON)
    assert len(hub.calls) == before
    assert hub.state(task) == "OPEN"
    assert list(runtime.containers) == ["mine"]
    assert not bench.session.closed


def test_stop_request_ends_the_loop_inside_a_call(start: Start, hub: FakeHub) -> None:
    """A request to stop interrupts the main session, so that a call under way ends, and the loop with it."""
    bench = start()
    bench.manager.request_stop()
    assert bench.session.interrupt.is_set()
    end = bench.one_pass()
    assert isinstance(end, LoopEnd)
    assert end.reaction is Reaction.STOP


def test_drain_waits_for_the_tasks(start: Start, hub: FakeHub, runtime: FakeRuntime) -> None:
    """While tasks run nothing is taken and the hub hears so; when the last has ended the loop ends."""
    bench, task = running(start, hub, runtime)
    bench.manager.request_drain()
    later = hub.add_task("sleep", 0)
    assert isinstance(bench.later(), float)
    assert hub.state(later) == "ASSIGNED"
    assert bench.parts.check_in._report.readiness.reason == "Stopping"
    hub.cancel(task)
    bench.later()
    bench.finish(task)
    end = bench.later()
    assert isinstance(end, LoopEnd)
    assert end.reaction is Reaction.STOP
