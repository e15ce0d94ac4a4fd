"""A daemon dies and its successor goes on: nothing is freed that can be adopted, nothing is done twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import koji
import koji.tasks
import pytest

from koji_adjutant.errors import HubError, RuntimeUnavailable
from koji_adjutant.hub.refusals import CallUncertain
from koji_adjutant.tasks.kept_root import keep_root
from tests.support.manager_fakes import FakeHub, FakeRuntime

Start = Callable[..., Any]
Make = Callable[..., type[koji.tasks.BaseTaskHandler]]


class Work:
    """A task that does one recorded act, then waits until it may end."""

    def __init__(self) -> None:
        self.acts: list[bool] = []
        self.reached = threading.Event()
        self.go = threading.Event()

    def __call__(self, task: Any) -> str:
        result = task.once("act", lambda: self.acts.append(task.context.adopted) or "acted")
        self.reached.set()
        while not self.go.is_set():
            task.context.interruption.sleep(0.01)
        return str(result)


def start_and_die(start: Start, hub: FakeHub, work: Work, make: Make) -> int:
    """Run a task to the middle of its work, then kill the daemon."""
    bench = start(make("work", work))
    task = hub.add_task("work")
    bench.one_pass()
    assert work.reached.wait(60)
    bench.die()
    hub.calls.clear()
    return task


def test_open_task_goes_on(start: Start, hub: FakeHub, runtime: FakeRuntime, make_handler: Make) -> None:
    """The successor runs the handler again under the same OPEN task; the recorded act is not repeated."""
    work = Work()
    task = start_and_die(start, hub, work, make_handler)
    runtime.add("mine", task, hub.tasks[task]["start_ts"])
    second = start(make_handler("work", work))
    work.go.set()
    second.one_pass()
    second.finish(task)
    assert hub.state(task) == "CLOSED"
    assert work.acts == [False]
    assert second.adopted == [True]
    for call in ("host.openTask", "host.freeTasks", "host.refuseTask"):
        assert call not in hub.names()
    assert not runtime.containers
    assert not second.directory(task).exists()


def test_containers_of_an_adopted_task_are_not_touched(
    start: Start, hub: FakeHub, runtime: FakeRuntime, make_handler: Make
) -> None:
    """While an adopted task runs its containers stay, those of an older run and of no task go."""
    work = Work()
    task = start_and_die(start, hub, work, make_handler)
    start_ts = hub.tasks[task]["start_ts"]
    runtime.add("mine", task, start_ts)
    runtime.add("older", task, start_ts - 1)
    runtime.add("nobody")
    runtime.add("foreign", task, start_ts, worker="other.ffffffff")
    start(make_handler("work", work)).one_pass()
    assert sorted(runtime.containers) == ["foreign", "mine"]


def test_waiting_parent_is_adopted(start: Start, hub: FakeHub) -> None:
    """A parent that waits for a child is resumed by its journal alone and makes no second child."""
    bench = start()
    parent = hub.add_task("subtask", 0)
    bench.one_pass()
    assert hub.wait_for(lambda: hub.tasks[parent]["waiting"])
    bench.die()
    (child,) = (task["id"] for task in hub.tasks.values() if task["parent"] == parent)
    hub.tasks[child].update(state=koji.TASK_STATES["CLOSED"])
    second = start()
    second.one_pass()
    second.finish(parent)
    assert hub.state(parent) == "CLOSED"
    assert len(hub.tasks) == 2


def test_task_opened_anew_meanwhile_is_given_back(
    start: Start, hub: FakeHub, runtime: FakeRuntime, make_handler: Make
) -> None:
    """Freed and opened again while we were dead: another run, so containers, roots and journal go, then it is freed."""
    work = Work()
    task = start_and_die(start, hub, work, make_handler)
    runtime.add("mine", task, hub.tasks[task]["start_ts"])
    hub.tasks[task]["start_ts"] += 1
    hub.buildroots[5] = {"id": 5, "task_id": task, "state": koji.BR_STATES["BUILDING"]}
    second = start(make_handler("work", work))
    second.one_pass()
    assert hub.state(task) == "FREE"
    assert hub.buildroots[5]["state"] == koji.BR_STATES["EXPIRED"]
    assert not runtime.containers
    assert not second.directory(task).exists()
    assert hub.names().index("host.setBuildRootState") < hub.names().index("host.freeTasks")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text(json.dumps({"format": 99}) + "\n"),
        lambda path: path.write_text("not a journal\n"),
        lambda path: path.write_text(""),
        lambda path: path.unlink(),
    ],
)
def test_unusable_journal_frees_the_task(start: Start, hub: FakeHub, make_handler: Make, damage: Any) -> None:
    """A journal of an unknown format, damaged, empty or gone: the task goes back to the hub."""
    work = Work()
    task = start_and_die(start, hub, work, make_handler)
    second = start(make_handler("work", work))
    damage(second.directory(task) / "journal.jsonl")
    second.one_pass()
    assert hub.state(task) == "FREE"
    assert not second.directory(task).exists()
    assert work.acts == [False]


def test_task_cancelled_while_we_were_dead_is_cleared(
    start: Start, hub: FakeHub, runtime: FakeRuntime, make_handler: Make
) -> None:
    """The hub is told nothing about a task that it has ended itself; what it left goes."""
    work = Work()
    task = start_and_die(start, hub, work, make_handler)
    runtime.add("mine", task, hub.tasks[task]["start_ts"])
    hub.cancel(task)
    second = start(make_handler("work", work))
    second.one_pass()
    assert not runtime.containers
    assert not second.directory(task).exists()
    assert hub.made("host.freeTasks") == []


def test_nothing_is_done_while_runtime_or_hub_is_away(
    start: Start, hub: FakeHub, runtime: FakeRuntime, make_handler: Make
) -> None:
    """Adoption waits for both: until then nothing is freed, expired, removed or taken, and the host is not ready."""
    work = Work()
    task = start_and_die(start, hub, work, make_handler)
    waiting = hub.add_task("sleep", 0)
    second = start(make_handler("work", work))
    runtime.list_fails = RuntimeUnavailable("no socket")
    assert second.one_pass() == 2.0
    runtime.list_fails = None

    def away(*_: Any) -> None:
        raise HubError("away", retryable=True)

    hub.before["host.getHostTasks"] = away
    assert second.one_pass() == 4.0
    assert hub.state(task) == "OPEN"
    assert hub.state(waiting) == "ASSIGNED"
    assert not second.parts.check_in.say().ready
    assert second.adopted == []
    del hub.before["host.getHostTasks"]
    work.go.set()
    second.one_pass()
    second.finish(task)
    assert hub.state(task) == "CLOSED"


def test_failed_root_is_kept_over_a_restart(
    start: Start, hub: FakeHub, runtime: FakeRuntime, make_handler: Make
) -> None:
    """A root that is to be kept survives the end of its task and the next start."""

    def fail(self: Any) -> None:
        keep_root(self.context.directory, 2_000_000.0)
        runtime.add("root", self.id, self.context.start_ts)
        raise koji.BuildError("no")

    bench = start(make_handler("fails", fail))
    task = hub.add_task("fails")
    bench.one_pass()
    bench.finish(task)
    assert list(runtime.containers) == ["root"]
    bench.die()
    second = start()
    second.one_pass()
    assert hub.state(task) == "FAILED"
    assert list(runtime.containers) == ["root"]
    second.clock.now = 2_000_001.0
    second.parts.sweeper.sweep()
    assert not runtime.containers
    assert not second.directory(task).exists()


def report_died(start: Start, hub: FakeHub, make: Make, when: str) -> tuple[int, Any]:
    """Let a daemon die around its `closeTask`; return the task and the successor."""
    runs: list[int] = []

    def work(self: Any) -> int:
        runs.append(self.id)
        return len(runs)

    bench = start(make("work", work))
    task = hub.add_task("work")
    dead = bench.parts

    def die(*_: Any) -> None:
        running = dead.table.get(task)
        running.context.interruption.stop()
        raise HubError("cut", retryable=True)

    getattr(hub, when)["host.closeTask"] = die
    bench.one_pass()
    running = bench.parts.table.get(task)
    assert running.ended.wait(60)
    bench.die()
    getattr(hub, when).clear()
    return task, start(make("work", work))


def test_death_before_the_report_reports_once(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """The document that was noted is sent by the successor; the handler does not run again."""
    task, second = report_died(start, hub, make_handler, "before")
    assert hub.state(task) == "OPEN"
    second.one_pass()
    second.finish(task)
    assert hub.state(task) == "CLOSED"
    assert "<int>1</int>" in hub.results[task][1]


def test_death_between_report_and_answer_reports_nothing_twice(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """The hub closed the task, nobody heard it: the successor clears up and says nothing."""
    task, second = report_died(start, hub, make_handler, "after")
    assert hub.state(task) == "CLOSED"
    second.one_pass()
    assert len(hub.made("host.closeTask")) == 1
    assert not second.directory(task).exists()


def test_lost_answer_to_the_report_is_no_failure(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """A hub that says it acted already has closed the task: nothing is asked again, nothing stays."""

    def lost(*_: Any) -> None:
        raise CallUncertain("repeated")

    bench = start(make_handler("work", lambda _: 1))
    task = hub.add_task("work")
    hub.after["host.closeTask"] = lost
    bench.one_pass()
    bench.finish(task)
    assert hub.state(task) == "CLOSED"
    assert not bench.directory(task).exists()


def test_report_waits_for_the_hub(
    start: Start, hub: FakeHub, make_handler: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that is away delays the report and loses nothing."""
    monkeypatch.setattr("koji_adjutant.manager.reporting.back_off", lambda _: 0.0)
    failures = iter([True, True, False])

    def away(*_: Any) -> None:
        if next(failures):
            raise HubError("away", retryable=True)

    bench = start(make_handler("work", lambda _: 1))
    task = hub.add_task("work")
    hub.before["host.closeTask"] = away
    bench.one_pass()
    bench.finish(task)
    assert hub.state(task) == "CLOSED"


def test_task_lost_before_the_report_is_cleared(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """The hub refuses the report because the task is not ours any more: nothing stays and nothing is freed."""
    bench = start(make_handler("work", lambda _: 1))
    task = hub.add_task("work")
    hub.before["host.closeTask"] = lambda task_id, _: hub.tasks[task_id].update(state=0, host_id=None)
    bench.one_pass()
    bench.finish(task)
    assert hub.state(task) == "FREE"
    assert not bench.directory(task).exists()
