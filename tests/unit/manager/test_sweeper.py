"""The sweep looks before it asks, and does nothing while the hub is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import koji
import pytest

from koji_adjutant.errors import ContainerTimeout, CopyError, DaemonStopping, HubError, SessionLost
from tests.support.manager_fakes import FakeHub, FakeRuntime, SteppingClock

Start = Callable[..., Any]
OLD = 1.0


def test_leftovers_go_and_others_stay(start: Start, hub: FakeHub, runtime: FakeRuntime) -> None:
    """Old containers of tasks that nobody holds go; those running, open, young or of another worker stay."""
    bench = start()
    bench.one_pass()
    running = hub.add_task("sleep", 600)
    bench.later()
    held = hub.add_task("sleep", 1, state="OPEN", start_ts=2.0)
    runtime.add("running", running, hub.tasks[running]["start_ts"])
    runtime.add("open", held, 2.0)
    runtime.add("young", 99, 1.0, created_at=bench.clock.now - 10)
    runtime.add("foreign", 99, 1.0, worker="else.00000000")
    runtime.add("old", 99, 1.0, created_at=OLD)
    bench.parts.sweeper.sweep()
    assert sorted(runtime.containers) == ["foreign", "open", "running", "young"]


def test_buildroots_of_ended_tasks_expire(start: Start, hub: FakeHub) -> None:
    """Live roots without a running task are expired at the hub (contract 2.12)."""
    bench = start()
    bench.one_pass()
    hub.buildroots[4] = {"id": 4, "task_id": 99, "state": koji.BR_STATES["BUILDING"]}
    bench.parts.sweeper.sweep()
    assert hub.buildroots[4]["state"] == koji.BR_STATES["EXPIRED"]


def test_nothing_goes_while_the_hub_is_away(start: Start, hub: FakeHub, runtime: FakeRuntime) -> None:
    """Without the hub's word nothing is removed."""
    bench = start()
    runtime.add("old", 99, 1.0)

    def away(*_: Any) -> None:
        raise HubError("away", retryable=True)

    hub.before["host.getHostTasks"] = away
    with pytest.raises(HubError):
        bench.parts.sweeper.sweep()
    assert list(runtime.containers) == ["old"]


def test_containers_are_listed_before_the_hub_is_asked(start: Start, hub: FakeHub, runtime: FakeRuntime) -> None:
    """A container made while the hub answers is not in the list, whatever its age says."""
    bench = start()
    hub.before["host.getHostTasks"] = lambda: runtime.add("fresh", 99, 1.0)
    bench.parts.sweeper.sweep()
    assert list(runtime.containers) == ["fresh"]


def test_one_that_cannot_be_removed_does_not_stop_the_others(start: Start, runtime: FakeRuntime) -> None:
    """A failing removal is left for the next sweep."""
    bench = start()
    runtime.add("old", 99, 1.0)
    runtime.remove_fails = CopyError("broken")
    bench.parts.sweeper.sweep()
    runtime.remove_fails = None
    bench.parts.sweeper.sweep()
    assert not runtime.containers


def test_lost_session_ends_the_thread(start: Start, hub: FakeHub, runtime: FakeRuntime) -> None:
    """The main loop hears that the name is taken, and the sweep touches nothing any more."""
    bench = start()
    runtime.add("old", 99, 1.0)

    def lost(*_: Any) -> None:
        raise SessionLost("gone")

    hub.before["host.getHostTasks"] = lost
    bench.parts.sweeper._run()
    assert isinstance(bench.manager._fatal, SessionLost)
    assert list(runtime.containers) == ["old"]


def test_jobs_of_others_are_done_between_sweeps(start: Start, runtime: FakeRuntime) -> None:
    """The thread lends its session; what a job raises reaches who asked, and no sweep follows from it."""
    sweeper = start().parts.sweeper
    runtime.add("old", 99, 1.0, created_at=OLD)
    sweeper.clock = SteppingClock()
    thread = threading.Thread(target=sweeper._pause, daemon=True)
    thread.start()
    assert sweeper.do(lambda session: session.host.getHost()["name"], 10.0) == "builder"

    def fail(_session: Any) -> None:
        raise HubError("away")

    with pytest.raises(HubError, match="away"):
        sweeper.do(fail, 10.0)
    assert [found.name for found in sweeper.do(lambda _: sweeper.preview(), 10.0)] == ["old"]
    assert list(runtime.containers) == ["old"]
    assert thread.is_alive()
    sweeper.hasten()
    thread.join(10)
    assert not thread.is_alive()


def test_a_job_that_is_not_reached_is_never_done(start: Start) -> None:
    """Who asked is told after his time; a thread that has ended does nothing more."""
    sweeper = start().parts.sweeper
    done: list[Any] = []
    with pytest.raises(ContainerTimeout):
        sweeper.do(done.append, 0.01)
    sweeper._hastened = True
    sweeper._pause()
    assert done == []
    sweeper.halt()
    with pytest.raises(DaemonStopping):
        sweeper.do(done.append, 10.0)
