"""The main loop over an in-memory hub: take, refuse, wake, cancel, give back, survive (contract 2)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import koji
import koji.tasks
import pytest

from koji_adjutant.errors import HubError, RuntimeUnavailable, SessionLost
from koji_adjutant.hub.refusals import CallUncertain
from koji_adjutant.manager.loop_errors import UNFORESEEN_LIMIT, Reaction
from koji_adjutant.manager.parts import LoopEnd
from koji_adjutant.manager.readiness import DiskSpace, Machine
from tests.support.manager_fakes import HOST_ID, FakeHub, FakeRuntime

Start = Callable[..., Any]
Make = Callable[..., type[koji.tasks.BaseTaskHandler]]


def result(document: tuple[str, str]) -> Any:
    """Decode what the hub was given, a fault as the error it is."""
    try:
        return koji.xmlrpcplus.loads(document[1])[0][0]
    except koji.xmlrpcplus.Fault as fault:
        return fault.faultCode, fault.faultString


def test_a_task_is_taken_run_and_closed(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """An assigned task is opened, weighed, run and closed with its encoded result; nothing of it stays."""
    bench = start(make_handler("add", lambda _, a, b: {"sum": a + b}, _taskWeight=0.75))
    task = hub.add_task("add", 2, 3)
    assert bench.one_pass() == 0.0
    bench.finish(task)
    assert result(hub.results[task]) == {"sum": 5}
    assert hub.made("host.setTaskWeight") == [(task, 0.75)]
    assert not bench.directory(task).exists()
    assert hub.names().index("host.openTask") < hub.names().index("host.setTaskWeight")


def test_at_most_one_task_per_pass(start: Start, hub: FakeHub) -> None:
    """Two assigned tasks are taken in two passes, the second at once (contract 2.1 #6)."""
    bench = start()
    first, second = hub.add_task("sleep", 0), hub.add_task("sleep", 0)
    assert bench.one_pass() == 0.0
    assert hub.made("host.openTask") == [(first,)]
    bench.one_pass()
    assert hub.made("host.openTask") == [(first,), (second,)]


def test_unknown_method_is_refused_hard(start: Start, hub: FakeHub) -> None:
    """A method without handler is refused with kojid's text, and the next row is still taken."""
    bench = start()
    unknown, known = hub.add_task("winbuild"), hub.add_task("sleep", 0)
    bench.one_pass()
    assert [(r["task_id"], r["soft"], r["msg"]) for r in hub.refusals] == [(unknown, False, "no handler for method")]
    assert hub.made("host.openTask") == [(known,)]


@pytest.mark.parametrize("check", [lambda _, host: False, lambda _, host: host["no such key"], lambda _, host: 1 // 0])
def test_failed_host_check_is_refused_hard(start: Start, hub: FakeHub, make_handler: Make, check: Any) -> None:
    """`checkHost` that says no, or breaks, refuses before anything is opened."""
    bench = start(make_handler("add", lambda _: None, checkHost=check))
    task = hub.add_task("add")
    bench.one_pass()
    assert [(r["task_id"], r["soft"], r["msg"]) for r in hub.refusals] == [(task, False, "failed host check")]
    assert not hub.made("host.openTask")


def test_host_check_sees_the_host(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """`checkHost` gets what `getHost` said."""
    seen = []
    bench = start(make_handler("add", lambda _: None, checkHost=lambda _, host: seen.append(host["arches"]) or True))
    task = hub.add_task("add")
    bench.one_pass()
    bench.finish(task)
    assert seen == ["x86_64"]


@pytest.mark.parametrize(
    ("raised", "call", "expected"),
    [
        (koji.BuildError("no"), "failTask", (1005, "no")),
        (koji.xmlrpcplus.Fault(1, "hub says"), "failTask", (1, "hub says")),
    ],
)
def test_faults(start: Start, hub: FakeHub, make_handler: Make, raised: Exception, call: str, expected: Any) -> None:
    """Errors of a handler reach the hub with koji's code and text (contract 2.8)."""

    def fail(_: Any) -> None:
        raise raised

    bench = start(make_handler("add", fail))
    task = hub.add_task("add")
    bench.one_pass()
    bench.finish(task)
    assert hub.results[task][0] == call
    assert result(hub.results[task]) == expected


def test_wrong_arguments_are_a_parameter_error(start: Start, hub: FakeHub) -> None:
    """Arguments that do not fit the handler are fault 1019."""
    bench = start()
    task = hub.add_task("sleep", 1, 2, 3)
    bench.one_pass()
    bench.finish(task)
    assert result(hub.results[task])[0] == 1019


def test_result_that_cannot_be_encoded_fails_the_task(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """A dictionary with integer keys has no XML-RPC form: the task fails, as under kojid."""
    bench = start(make_handler("add", lambda _: {1: 2}))
    task = hub.add_task("add")
    bench.one_pass()
    bench.finish(task)
    assert hub.state(task) == "FAILED"


def test_refuse_task_is_soft(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """`RefuseTask` gives the task back softly with its text."""

    def refuse(_: Any) -> None:
        raise koji.tasks.RefuseTask("no file access")

    bench = start(make_handler("add", refuse))
    task = hub.add_task("add")
    bench.one_pass()
    bench.finish(task)
    assert [(r["task_id"], r["soft"], r["msg"]) for r in hub.refusals] == [(task, True, "no file access")]


def test_infrastructure_is_given_back_until_it_fails_elsewhere(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """A runtime that is away refuses softly with its reason; with the same reason from another host the task fails."""

    def fail(_: Any) -> None:
        raise RuntimeUnavailable("no socket")

    bench = start(make_handler("add", fail))
    first = hub.add_task("add")
    bench.one_pass()
    bench.finish(first)
    assert hub.refusals[0]["msg"] == "unavailable: no socket"
    second = hub.add_task("add")
    hub.refusals.append({"task_id": second, "host_id": 8, "msg": "unavailable: no", "by_host": True, "soft": True})
    bench.one_pass()
    bench.finish(second)
    assert hub.state(second) == "FAILED"


def test_lost_race_is_no_trouble(start: Start, hub: FakeHub) -> None:
    """`openTask` that answers None leaves the task alone."""
    bench = start()
    task = hub.add_task("sleep", 0)
    hub.before["host.openTask"] = lambda task_id: hub.tasks[task_id].update(host_id=9)
    bench.one_pass()
    assert not bench.parts.table.ids()
    assert "host.setTaskWeight" not in hub.names()
    assert task not in hub.results


def test_open_with_a_lost_answer_is_taken(start: Start, hub: FakeHub) -> None:
    """When the hub says that it acted already, it is asked for the state and the task is run, not opened again."""

    def lost(_: int) -> None:
        raise CallUncertain("repeated")

    bench = start()
    task = hub.add_task("sleep", 0)
    hub.after["host.openTask"] = lost
    bench.one_pass()
    bench.finish(task)
    assert hub.state(task) == "CLOSED"
    assert len(hub.made("host.openTask")) == 1


def test_task_that_is_lost_after_opening_is_left(start: Start, hub: FakeHub) -> None:
    """`setTaskWeight` refused because the task was reassigned: nothing is run (contract 2.6 #7)."""
    bench = start()
    task = hub.add_task("sleep", 0)
    hub.after["host.openTask"] = lambda task_id: hub.tasks[task_id].update(host_id=9)
    assert isinstance(bench.one_pass(), float)
    assert not bench.parts.table.ids()
    assert task not in hub.results


def test_request_that_cannot_be_read_fails_the_task(start: Start, hub: FakeHub) -> None:
    """Parameters that koji cannot decode fail the task instead of timing out again and again."""
    bench = start()
    task = hub.add_task("sleep")
    hub.tasks[task]["request"] = 5
    bench.one_pass()
    assert hub.state(task) == "FAILED"


def test_missing_request_is_left_alone(start: Start, hub: FakeHub) -> None:
    """A task without request is neither opened nor refused."""
    bench = start()
    task = hub.add_task("sleep", 0)
    hub.tasks[task]["request"] = None
    bench.one_pass()
    assert hub.state(task) == "ASSIGNED"
    assert not hub.refusals


@pytest.mark.parametrize("change", [{"enabled": False}, {"capacity": -1.0}])
def test_not_ready_takes_nothing_and_says_so(start: Start, hub: FakeHub, change: dict[str, Any]) -> None:
    """A host that is disabled or full does not even ask for tasks."""
    bench = start()
    hub.add_task("sleep", 0)
    hub.host.update(change)
    bench.one_pass()
    assert "host.getTasks" not in hub.names()
    assert bench.parts.check_in.say().ready is False


def test_full_disk_takes_nothing(start: Start, hub: FakeHub) -> None:
    """Too little space on one of the paths is the reason that is reported."""
    bench = start()
    bench.machine = Machine(disks=(DiskSpace("/state", 10),))
    hub.add_task("sleep", 0)
    bench.one_pass()
    assert bench.parts.check_in.say().reason == "Insufficient disk space at /state: 10 MB, 8192 MB required"


def test_maxjobs_counts_open_tasks(start: Start, hub: FakeHub) -> None:
    """With `maxjobs` tasks open nothing more is taken."""
    bench = start()
    hub.host["capacity"] = 100.0
    tasks = [hub.add_task("sleep", 600) for _ in range(5)]
    for _ in range(6):
        bench.one_pass()
    assert sorted(bench.parts.table.ids()) == tasks[:3]
    assert bench.parts.check_in.say().reason == "Full queue"


def test_parent_is_woken_by_its_child(start: Start, hub: FakeHub) -> None:
    """A waiting parent goes on when the hub says that a child has ended; its load does not count meanwhile."""
    bench = start()
    parent = hub.add_task("subtask", 1)
    bench.one_pass()
    assert hub.wait_for(lambda: hub.tasks[parent]["waiting"])
    (child,) = (task for task in hub.tasks.values() if task["parent"] == parent)
    bench.later()
    assert bench.manager.load == 0.0 or child["id"] in bench.parts.table.ids()
    grandchild_known = hub.wait_for(lambda: len(hub.tasks) == 3)
    assert grandchild_known
    hub.tasks[3].update(request=[0])
    bench.later()
    for task_id in (3, child["id"], parent):
        for _ in range(3):
            bench.later()
        bench.finish(task_id)
    assert [hub.state(task) for task in (parent, child["id"], 3)] == ["CLOSED"] * 3


def test_cancelled_task_ends_and_leaves_no_container(start: Start, hub: FakeHub, runtime: FakeRuntime) -> None:
    """A task cancelled at the hub is interrupted; its containers are removed by label, those of others stay."""
    bench = start()
    task = hub.add_task("sleep", 600)
    bench.one_pass()
    runtime.add("mine", task, hub.tasks[task]["start_ts"])
    runtime.add("other", task + 1, 1.0)
    hub.cancel(task)
    bench.later()
    bench.finish(task)
    assert list(runtime.containers) == ["other"]
    assert task not in hub.results
    assert not bench.directory(task).exists()


def test_reassigned_task_is_ended(start: Start, hub: FakeHub) -> None:
    """A task that the hub gave to another host is ended here without a word."""
    bench = start()
    task = hub.add_task("sleep", 600)
    bench.one_pass()
    hub.tasks[task].update(state=koji.TASK_STATES["FREE"], host_id=None)
    bench.later()
    bench.finish(task)
    assert task not in hub.results
    assert "host.freeTasks" not in hub.names()


def test_task_assigned_to_us_again_waits_for_the_old_run(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """While the old run of a task still ends here the new assignment is left; then it is taken."""
    go, gates = threading.Event(), []

    def work(self: Any) -> str:
        gates.append(self.context.start_ts)
        if len(gates) == 1:
            assert go.wait(60)
        return "done"

    bench = start(make_handler("add", work))
    task = hub.add_task("add")
    bench.one_pass()
    hub.tasks[task].update(state=koji.TASK_STATES["ASSIGNED"])
    bench.later()
    assert len(hub.made("host.openTask")) == 1
    go.set()
    bench.finish(task)
    bench.later()
    bench.finish(task)
    assert hub.state(task) == "CLOSED"
    assert len(set(gates)) == 2


def test_stale_task_is_freed_with_its_containers(start: Start, hub: FakeHub, runtime: FakeRuntime) -> None:
    """Open for us at the hub, but unknown here: containers go first, then it is freed."""
    bench = start()
    bench.one_pass()
    task = hub.add_task("sleep", 1, state="OPEN", start_ts=5.0)
    runtime.add("left", task, 5.0)
    bench.later()
    assert hub.state(task) == "FREE"
    assert not runtime.containers


def test_hub_trouble_is_survived_with_growing_pauses(start: Start, hub: FakeHub) -> None:
    """A failing hub call never ends the loop nor a running task; pauses grow, and one good pass resets them."""
    bench = start()
    task = hub.add_task("sleep", 600)
    bench.one_pass()

    def away(*_: Any) -> None:
        raise HubError("away", retryable=True)

    hub.before["host.getHostTasks"] = away
    assert [bench.later() for _ in range(4)] == [2.0, 4.0, 8.0, 16.0]
    del hub.before["host.getHostTasks"]
    assert isinstance(bench.later(), float)
    assert bench.manager._failures == 0
    assert bench.parts.table.ids() == {task}
    assert hub.state(task) == "OPEN"


def test_lost_session_ends_the_loop_at_once(start: Start, hub: FakeHub) -> None:
    """Another daemon owns the name: the loop ends, nothing is freed."""
    bench = start()
    task = hub.add_task("sleep", 600)
    bench.one_pass()

    def lost(*_: Any) -> None:
        raise SessionLost("gone")

    hub.before["host.getHostTasks"] = lost
    end = bench.later()
    assert isinstance(end, LoopEnd)
    assert end.reaction is Reaction.ABANDON
    assert isinstance(end.error, SessionLost)
    assert hub.state(task) == "OPEN"
    assert "host.freeTasks" not in hub.names()


def test_session_lost_in_another_thread_ends_the_loop(start: Start) -> None:
    """What the check-in finds out ends the main loop, even inside a hub call."""
    bench = start()
    bench.manager.report_fatal(SessionLost("gone"))
    end = bench.one_pass()
    assert isinstance(end, LoopEnd)
    assert isinstance(end.error, SessionLost)


def test_faults_of_ours_do_not_hide_for_ever(start: Start, hub: FakeHub) -> None:
    """An unforeseen error that repeats ends the daemon with it."""

    def broken(*_: Any) -> None:
        raise KeyError("ours")

    bench = start()
    bench.one_pass()
    hub.before["host.getHost"] = broken
    passes = [bench.later() for _ in range(UNFORESEEN_LIMIT)]
    assert all(isinstance(pause, float) for pause in passes[:-1])
    assert isinstance(passes[-1], LoopEnd)
    assert isinstance(passes[-1].error, KeyError)


def test_trouble_with_one_task_does_not_block_the_next(start: Start, hub: FakeHub) -> None:
    """A row whose taking fails is passed over; the next one is taken in the same pass."""
    bench = start()
    bad, good = hub.add_task("sleep", 0), hub.add_task("sleep", 0)

    def fail(task_id: int) -> None:
        if task_id == bad:
            raise koji.GenericError("broken row")

    hub.before["host.openTask"] = fail
    bench.one_pass()
    bench.finish(good)
    assert hub.state(good) == "CLOSED"


def test_unwritable_state_gives_the_task_back(start: Start, hub: FakeHub) -> None:
    """Without a journal no task may run: it is refused softly, since the same host would meet the same trouble."""
    bench = start()
    bench.one_pass()
    bench.directory(1).parent.parent.mkdir(parents=True, exist_ok=True)
    bench.directory(1).parent.write_text("in the way")
    task = hub.add_task("sleep", 0)
    bench.later()
    assert hub.state(task) == "FREE"
    assert hub.refusals[0]["soft"]
    assert hub.refusals[0]["msg"].startswith(f"state-dir: cannot write the journal of task {task} in ")


def test_foreground_restart_drains_then_restarts(start: Start, hub: FakeHub) -> None:
    """The `restart` task is closed at once; no task is taken until the running one ends, then the loop restarts."""
    bench = start()
    running = hub.add_task("sleep", 600)
    bench.one_pass()
    restart = hub.add_task("restart", {"id": HOST_ID})
    bench.later()
    assert result(hub.results[restart]) == "graceful restart initiated"
    later = hub.add_task("sleep", 0)
    bench.later()
    assert hub.state(later) == "ASSIGNED"
    assert bench.parts.check_in.say().reason == "Pending restart"
    hub.cancel(running)
    bench.later()
    bench.finish(running)
    end = bench.later()
    assert isinstance(end, LoopEnd)
    assert end.reaction is Reaction.RESTART


def test_restart_does_not_wait_for_waiting_parents(
    start: Start, hub: FakeHub, make_handler: Callable[..., Any]
) -> None:
    """A task that only waits for a child stays open for the next daemon: its child may have no other host than this."""
    hub.child_state = "FREE"

    def parent(handler: Any) -> None:
        handler.wait([handler.session.host.subtask("other", [], handler.id, label="c")], all=True)

    bench = start(make_handler("parent", parent))
    task = hub.add_task("parent")
    bench.one_pass()
    assert hub.wait_for(lambda: "host.taskWait" in hub.names())
    bench.manager.request_restart()
    end = bench.later()
    assert isinstance(end, LoopEnd)
    assert end.reaction is Reaction.RESTART
    assert hub.state(task) == "OPEN"


def test_foreground_restart_of_another_host_fails(start: Start, hub: FakeHub) -> None:
    """`restart` for another host fails with kojid's words."""
    bench = start()
    task = hub.add_task("restart", {"id": HOST_ID + 1})
    bench.one_pass()
    assert result(hub.results[task]) == (1000, "Host mismatch")
    assert not bench.manager.restart_pending


def test_restart_verify_compares_the_login(start: Start, hub: FakeHub) -> None:
    """`restartVerify` fails while the daemon's login is older than the restart task's end."""
    bench = start()
    stage_one = hub.add_task("restart", {"id": HOST_ID}, state="CLOSED", completion_ts=1_500_000_000.0)
    too_late = hub.add_task("restart", {"id": HOST_ID}, state="CLOSED", completion_ts=1_650_000_000.0)
    good = hub.add_task("restartVerify", stage_one, {"id": HOST_ID})
    bad = hub.add_task("restartVerify", too_late, {"id": HOST_ID})
    bench.one_pass()
    bench.one_pass()
    assert hub.state(good) == "CLOSED"
    assert result(hub.results[bad])[1].startswith("Restart failed - start time is ")


def test_shutdown_task_frees_itself_and_stops(start: Start, hub: FakeHub) -> None:
    """`shutdown` ends the loop; its own task goes back, as kojid's does (contract 2.13)."""
    bench = start()
    task = hub.add_task("shutdown")
    end = bench.one_pass()
    assert end == LoopEnd(Reaction.STOP, "Exiting", by_task=True)
    assert hub.state(task) == "FREE"


def test_some_method_runs_in_the_foreground(start: Start, hub: FakeHub) -> None:
    """The test method of koji returns 42."""
    bench = start()
    task = hub.add_task("someMethod", "a", 1)
    bench.one_pass()
    assert result(hub.results[task]) == 42


def test_default_task_fails_with_kojids_words(start: Start, hub: FakeHub) -> None:
    """`default` says which method nobody knows."""
    bench = start()
    task = hub.add_task("default")
    bench.one_pass()
    bench.finish(task)
    assert result(hub.results[task]) == (1000, "Invalid method: default")


def test_stale_task_waits_for_the_runtime(start: Start, hub: FakeHub, runtime: FakeRuntime) -> None:
    """While nobody can say what still runs of it a stale task is not freed, and the pass goes on."""
    bench = start()
    bench.one_pass()
    stale = hub.add_task("sleep", 0, state="OPEN", start_ts=5.0)
    runtime.list_fails = RuntimeUnavailable("away")
    assert isinstance(bench.later(10), float)
    assert bench.manager._failures == 0
    assert hub.state(stale) == "OPEN"
    runtime.list_fails = None
    bench.later(10)
    assert hub.state(stale) == "FREE"


def test_a_thread_that_cannot_be_started_gives_its_task_back(
    start: Start, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine out of threads: nothing of the task stays in the table, and the next pass frees it."""

    def none_left(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    bench = start()
    task = hub.add_task("sleep", 0)
    with monkeypatch.context() as patch:
        patch.setattr("koji_adjutant.manager.starter.start_thread", none_left)
        bench.one_pass()
    assert hub.state(task) == "OPEN"
    bench.later(10)
    assert len(bench.parts.table) == 0
    assert hub.state(task) == "FREE"


def test_draining_does_not_wait_for_waiting_parents(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """A parent whose children this host does not take any more is left to the next daemon."""
    hub.child_state = "FREE"

    def parent(handler: Any) -> None:
        handler.wait([handler.session.host.subtask("elsewhere", [], handler.id, label="c")], all=True)

    bench = start(make_handler("parent", parent))
    task = hub.add_task("parent")
    bench.one_pass()
    assert hub.wait_for(lambda: "host.taskWait" in hub.names())
    bench.manager.request_drain()
    end = bench.one_pass()
    assert isinstance(end, LoopEnd)
    assert end.reaction is Reaction.STOP
    assert hub.state(task) == "OPEN"
