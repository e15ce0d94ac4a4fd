"""Which free children a host takes by itself, and which it leaves to the hub's scheduler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import koji
import pytest

from koji_adjutant.manager.self_assign import LONG_SECONDS, Situation, misfit, objection
from tests.support.manager_fakes import FakeHub

Start = Callable[..., Any]
Make = Callable[..., Any]
CHILD = {"id": 5, "channel_id": 1, "arch": "x86_64", "priority": 19}
FITS = Situation(
    capacity=4.0,
    load=1.0,
    best_waiting=19,
    less_loaded=None,
)


@pytest.mark.parametrize(
    ("child", "situation", "reason"),
    [
        ({}, {}, ""),
        ({}, {"best_waiting": None}, ""),
        ({}, {"load": 2.5}, ""),
        ({}, {"load": 3.0}, "load 3 and its weight 1.5 exceed the capacity 4"),
        ({}, {"best_waiting": 5}, "a task of better priority waits (5, its own is 19)"),
        ({}, {"less_loaded": "other"}, "it is a long build, and host other is less loaded"),
    ],
)
def test_what_is_left_to_the_scheduler(child: dict[str, Any], situation: dict[str, Any], reason: str) -> None:
    """Load without overcommit, priority and other hosts each decide, with a sentence."""
    assert objection(CHILD | child, 1.5, replace(FITS, **situation)) == reason


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        ({}, ""),
        ({"arch": "noarch"}, ""),
        ({"channel_id": 2}, "its channel is not ours"),
        ({"arch": "s390x"}, "its arch s390x is not ours"),
    ],
)
def test_what_can_never_be_ours(child: dict[str, Any], reason: str) -> None:
    """Another channel, another arch."""
    assert misfit(CHILD | child, {"x86_64", "i686"}, {1}) == reason


def test_what_can_never_be_ours_is_asked_about_once(family: Any, hub: FakeHub) -> None:
    """A child of another arch costs the hub one look, however long its parent waits."""
    bench = family(arch="s390x")
    bench.one_pass()
    asked = hub.names().count("getTaskInfo")
    for _ in range(3):
        bench.later(10)
    assert hub.names().count("getTaskInfo") == asked
    assert hub.state(child_of(hub)) == "FREE"


@pytest.fixture
def family(start: Start, hub: FakeHub, make_handler: Make) -> Callable[..., Any]:
    """Start a daemon whose `parent` task waits for one free child, by default of method `child`."""

    def make(method: str = "child", mode: str = "auto", params: tuple[Any, ...] = (), **options: Any) -> Any:
        hub.child_state = "FREE"

        def parent(handler: Any) -> str:
            child = handler.session.host.subtask(method, list(params), handler.id, label="c", **options)
            handler.wait([child], all=True)
            return "done"

        bench = start(make_handler("parent", parent), make_handler(method, lambda _, *__: "child"))
        bench.config = bench.config.model_copy(update={"self_assign": mode})
        bench.task = hub.add_task("parent")
        bench.one_pass()
        assert hub.wait_for(lambda: "host.taskWait" in hub.names())
        assert mode == "off" or bench.parts.wake.wait(60)
        return bench

    return make


def child_of(hub: FakeHub) -> int:
    """The one child."""
    (found,) = [task["id"] for task in hub.tasks.values() if task["parent"]]
    return int(found)


def test_a_free_child_is_opened_without_the_scheduler(family: Any, hub: FakeHub) -> None:
    """As soon as its parent waits the child is opened and run, and the parent ends."""
    bench = family()
    child = child_of(hub)
    bench.one_pass()
    bench.finish(child)
    assert hub.state(child) == "CLOSED"
    bench.later(3)
    bench.finish(bench.task)
    assert hub.state(bench.task) == "CLOSED"


def test_off_leaves_children_alone(family: Any, hub: FakeHub) -> None:
    """By default nothing is opened that the hub has not assigned."""
    bench = family(mode="off")
    bench.later(60)
    assert hub.state(child_of(hub)) == "FREE"
    assert "listChannels" not in hub.names()


def test_other_free_tasks_are_never_taken(family: Any, hub: FakeHub) -> None:
    """A top-level task of a method we know stays free."""
    bench = family()
    other = hub.add_task("child", state="FREE", host_id=None)
    for _ in range(3):
        bench.later(10)
    assert hub.state(other) == "FREE"


def test_better_priority_goes_first(family: Any, hub: FakeHub) -> None:
    """While a better task waits for the scheduler the child does too, and it is taken once that has gone."""
    better = hub.add_task("child", state="FREE", host_id=None, priority=3)
    bench = family()
    bench.later(10)
    assert hub.state(child_of(hub)) == "FREE"
    hub.cancel(better)
    bench.later(10)
    assert hub.state(child_of(hub)) != "FREE"


def test_a_refused_child_is_not_taken_again(family: Any, hub: FakeHub) -> None:
    """What this host refused is for another one."""
    bench = family(arch="x86_64")
    hub.refusals.append({"task_id": child_of(hub), "host_id": 7, "soft": True, "msg": "no"})
    bench.later(10)
    assert hub.state(child_of(hub)) == "FREE"


@pytest.mark.parametrize(("average", "taken"), [(LONG_SECONDS - 1, True), (LONG_SECONDS, False), (None, False)])
def test_long_builds_go_to_the_least_loaded_host(
    family: Any, hub: FakeHub, average: float | None, *, taken: bool
) -> None:
    """A build that takes long, or that nobody knows, is left to the scheduler while another ready host does less."""
    hub.averages = {"gcc": average} if average else {}
    hub.other_hosts = [{"id": 9, "name": "idle", "task_load": -1.0}]
    bench = family("buildArch", params=("cli/gcc-1-2.src.rpm",))
    bench.later(10)
    assert (hub.state(child_of(hub)) != "FREE") is taken


def test_a_hub_without_refusals_costs_only_the_short_cut(family: Any, hub: FakeHub) -> None:
    """An error of what is only a short cut leaves the child to the scheduler, and the loop goes on."""

    def unknown(_: Any) -> None:
        raise koji.GenericError("Invalid method: scheduler.getTaskRefusals")

    hub.before["scheduler.getTaskRefusals"] = unknown
    bench = family()
    assert isinstance(bench.later(10), float)
    assert hub.state(child_of(hub)) == "FREE"
    assigned = hub.add_task("child")
    bench.later(10)
    bench.finish(assigned)
    assert hub.state(assigned) == "CLOSED"
