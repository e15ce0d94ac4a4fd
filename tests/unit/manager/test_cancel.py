"""A cancelled task leaves no container, even when its own thread hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import koji.tasks

from koji_adjutant.errors import RuntimeUnavailable
from tests.support.manager_fakes import FakeHub, FakeRuntime

Start = Callable[..., Any]
Make = Callable[..., type[koji.tasks.BaseTaskHandler]]


def hanging(start: Start, hub: FakeHub, runtime: FakeRuntime, make: Make) -> tuple[Any, int, threading.Event]:
    """Run a task that hears nothing, with a container."""
    go = threading.Event()
    bench = start(make("deaf", lambda _: go.wait(30)))
    task = hub.add_task("deaf")
    bench.one_pass()
    runtime.add("mine", task, hub.tasks[task]["start_ts"])
    return bench, task, go


def test_containers_go_under_a_deaf_thread(
    start: Start, hub: FakeHub, runtime: FakeRuntime, make_handler: Make
) -> None:
    """Two seconds after the cancel the containers are removed though the thread has not ended."""
    bench, task, go = hanging(start, hub, runtime, make_handler)
    running = bench.parts.table.get(task)
    before = bench.clock.now
    bench.parts.canceller._finish(running)
    assert not runtime.containers
    assert bench.clock.now - before <= 5.0
    assert not running.ended.is_set()
    go.set()


def test_removal_is_repeated_until_nothing_is_listed(
    start: Start, hub: FakeHub, runtime: FakeRuntime, make_handler: Make
) -> None:
    """A runtime that is away for a moment is asked again."""
    bench, task, go = hanging(start, hub, runtime, make_handler)
    listing = runtime.list_managed
    answers = iter([RuntimeUnavailable("away"), None])

    def flaky(labels: Any) -> Any:
        trouble = next(answers, None)
        if trouble:
            raise trouble
        return listing(labels)

    runtime.list_managed = flaky  # type: ignore[method-assign] # one bad answer
    assert bench.parts.canceller.remove_all(bench.parts.table.get(task))
    assert not runtime.containers
    go.set()


def test_a_runtime_that_stays_away_is_left_to_the_sweep(
    start: Start, hub: FakeHub, runtime: FakeRuntime, make_handler: Make
) -> None:
    """Removal gives up after its deadline and says so."""
    bench, task, go = hanging(start, hub, runtime, make_handler)
    runtime.list_fails = RuntimeUnavailable("away")
    assert not bench.parts.canceller.remove_all(bench.parts.table.get(task))
    runtime.list_fails = None
    go.set()


def test_a_second_cancel_only_wakes(start: Start, hub: FakeHub, runtime: FakeRuntime, make_handler: Make) -> None:
    """The hub's list shows a cancelled task as missing on every pass; one cancel is enough."""
    bench, task, go = hanging(start, hub, runtime, make_handler)
    running = bench.parts.table.get(task)
    running.cancel_started = True
    bench.parts.canceller.cancel(running, "again")
    assert running.context.wake.is_set()
    assert not running.context.interruption.cancelled
    go.set()
