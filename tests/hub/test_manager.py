"""The manager on an embedded hub: real sessions, real threads, koji's own test methods (contract 4.8)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import koji
import pytest

from koji_adjutant.manager.parts import LoopEnd
from koji_adjutant.manager.stopping import stop, stop_mode
from koji_adjutant.minihub.hub import Credentials, MiniHub
from tests.support.free_port import free_port
from tests.support.manager_fakes import FakeRuntime
from tests.support.manager_process import log_in, make

ROOT = Path(__file__).parents[2]


@pytest.fixture
def minihub(tmp_path: Path) -> Iterator[MiniHub]:
    with MiniHub(tmp_path / "hub", port=free_port()) as hub:
        yield hub


@pytest.fixture
def builder(minihub: MiniHub) -> Credentials:
    return minihub.add_host("builder", "x86_64", capacity=20.0)


class Hub:
    """What a test asks the hub, with waiting."""

    def __init__(self, hub: MiniHub) -> None:
        self.hub = hub

    def info(self, task: int) -> dict[str, Any]:
        found: dict[str, Any] = self.hub.call("getTaskInfo", task, request=True)
        return found

    def state(self, task: int) -> str:
        return koji.TASK_STATES[self.info(task)["state"]]

    def until(self, condition: Callable[[], Any], what: str, timeout: float = 120.0) -> None:
        """Wait for a condition, asked of the hub again and again."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come"
            time.sleep(0.02)

    def ends(self, task: int, state: str) -> None:
        self.until(lambda: self.state(task) in {"CLOSED", "FAILED", "CANCELED"}, f"the end of task {task}")
        assert self.state(task) == state

    def result(self, task: int) -> Any:
        return self.hub.call("getTaskResult", task)


@pytest.fixture
def asked(minihub: MiniHub) -> Hub:
    return Hub(minihub)


class Running:
    """A manager in a thread of this process."""

    def __init__(self, hub: MiniHub, builder: Credentials, work: Path) -> None:
        self.runtime = FakeRuntime()
        self.session, options = log_in(hub.url, builder.user, builder.password, work)
        self.manager, self.parts = make(self.session, options, work, self.runtime)
        self.worker = self.parts.starter.identity.worker_label
        self.end: LoopEnd | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self.end = self.manager.run()

    def finish(self, setting: str = "keep") -> bool:
        """Stop as a daemon does on SIGTERM."""
        self.manager.request_stop()
        self.thread.join(120)
        assert self.end is not None
        return stop(self.parts, stop_mode(self.end, setting))


@pytest.fixture
def running(minihub: MiniHub, builder: Credentials, tmp_path: Path) -> Iterator[Running]:
    manager = Running(minihub, builder, tmp_path)
    yield manager
    manager.finish()


def test_test_methods_run(minihub: MiniHub, asked: Hub, running: Running) -> None:
    """Sleep, someMethod, default and an unknown number of arguments end as under kojid."""
    slept = minihub.make_task("sleep", [0])
    some = minihub.make_task("someMethod", ["x"])
    default = minihub.make_task("default", [])
    wrong = minihub.make_task("sleep", [1, 2, 3])
    asked.ends(slept, "CLOSED")
    asked.ends(some, "CLOSED")
    assert asked.result(some) == 42
    asked.ends(default, "FAILED")
    with pytest.raises(Fault, match="1000: 'Invalid method: default'"):
        asked.result(default)
    asked.ends(wrong, "FAILED")
    with pytest.raises(Fault, match="1019: "):
        asked.result(wrong)


def test_waiting_parent_is_woken(minihub: MiniHub, asked: Hub, running: Running) -> None:
    """`waittest` waits for its children, one of which may fail."""
    task = minihub.make_task("waittest", [2, 0.2])
    asked.ends(task, "CLOSED")


def test_unknown_method_is_refused(minihub: MiniHub, asked: Hub, running: Running) -> None:
    """A method nobody here knows stays FREE, with the refusal on record."""
    task = minihub.make_task("winbuild", [])
    asked.until(lambda: minihub.call("scheduler.getTaskRefusals", [["task_id", "=", task]]), "the refusal")
    (refusal,) = minihub.call("scheduler.getTaskRefusals", [["task_id", "=", task]])
    assert (refusal["soft"], refusal["msg"]) == (False, "no handler for method")
    assert asked.state(task) == "FREE"


def test_cancel_ends_the_task_and_its_containers(minihub: MiniHub, asked: Hub, running: Running) -> None:
    """Within five seconds of the cancel neither thread nor container of the task are left."""
    task = minihub.make_task("sleep", [600])
    asked.until(lambda: running.parts.table.get(task), "the start")
    running.runtime.add("mine", task, asked.info(task)["start_ts"], worker=running.worker)
    minihub.call("cancelTask", task)
    asked.until(lambda: not running.runtime.containers and not running.parts.table.ids(), "the end", timeout=5.0)
    assert asked.state(task) == "CANCELED"


def test_host_checks_in(minihub: MiniHub, asked: Hub, builder: Credentials, running: Running) -> None:
    """The hub sees the host ready, with its methods and maxjobs, and not ready after the end."""
    asked.until(lambda: minihub.call("getHost", "builder").get("ready"), "readiness")
    assert running.finish()
    assert not minihub.call("getHost", "builder").get("ready")


def test_hub_outage_is_survived(minihub: MiniHub, asked: Hub, running: Running) -> None:
    """A hub that goes away and comes back finds the task running, and takes its result."""
    task = minihub.make_task("sleep", [2])
    asked.until(lambda: running.parts.table.get(task), "the start")
    minihub.pause()
    time.sleep(0.5)
    minihub.start()
    asked.ends(task, "CLOSED")


def test_keep_and_adopt(minihub: MiniHub, asked: Hub, builder: Credentials, tmp_path: Path) -> None:
    """A stopped daemon leaves its tasks open; its successor ends them without opening them again."""
    first = Running(minihub, builder, tmp_path)
    # Longer than the stop may take.
    task = minihub.make_task("sleep", [8])
    parent = minihub.make_task("waittest", [1, 8])
    asked.until(lambda: asked.state(task) == "OPEN" and asked.info(parent)["waiting"], "both starts")
    started = asked.info(task)["start_ts"]
    before = time.monotonic()
    assert first.finish()
    assert time.monotonic() - before < 5.0
    assert asked.state(task) == asked.state(parent) == "OPEN"
    second = Running(minihub, builder, tmp_path)
    asked.ends(task, "CLOSED")
    asked.ends(parent, "CLOSED")
    assert asked.info(task)["start_ts"] == started
    second.finish()


def test_free_gives_back(minihub: MiniHub, asked: Hub, builder: Credentials, tmp_path: Path) -> None:
    """With `stop: free` the tasks are FREE again when the daemon has ended."""
    manager = Running(minihub, builder, tmp_path)
    task = minihub.make_task("sleep", [600])
    asked.until(lambda: manager.parts.table.get(task), "the start")
    manager.finish("free")
    assert asked.state(task) in {"FREE", "ASSIGNED"}


def test_stolen_session_ends_the_daemon(minihub: MiniHub, asked: Hub, builder: Credentials, tmp_path: Path) -> None:
    """Who loses the lock to another daemon stops, frees nothing and touches no container."""
    manager = Running(minihub, builder, tmp_path)
    task = minihub.make_task("sleep", [600])
    asked.until(lambda: manager.parts.table.get(task), "the start")
    manager.runtime.add("mine", task, asked.info(task)["start_ts"], worker=manager.worker)
    other, _ = log_in(minihub.url, builder.user, builder.password, tmp_path / "other", force=True)
    manager.thread.join(120)
    assert manager.end is not None
    assert manager.end.error is not None
    stop(manager.parts, stop_mode(manager.end, "free"))
    assert asked.state(task) == "OPEN"
    assert list(manager.runtime.containers) == ["mine"]
    other.close()


@contextlib.contextmanager
def process(hub: MiniHub, builder: Credentials, work: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a manager as a process."""
    given = {"server": hub.url, "user": builder.user, "password": builder.password, "work": str(work), **more}
    command = [sys.executable, "-m", "tests.support.manager_process", json.dumps(given)]
    child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def test_killed_daemon_is_replaced(minihub: MiniHub, asked: Hub, builder: Credentials, tmp_path: Path) -> None:
    """`kill -9` loses nothing: the successor takes the lock, adopts both tasks and ends them in the same run."""
    with process(minihub, builder, tmp_path) as first:
        task = minihub.make_task("sleep", [8])
        parent = minihub.make_task("waittest", [2, 8])
        asked.until(lambda: asked.state(task) == "OPEN" and asked.info(parent)["waiting"], "both starts")
        started = [asked.info(one)["start_ts"] for one in (task, parent)]
        first.send_signal(signal.SIGKILL)
        first.wait()
    children = len(minihub.call("getTaskChildren", parent))
    with process(minihub, builder, tmp_path):
        asked.ends(task, "CLOSED")
        asked.ends(parent, "CLOSED")
    assert [asked.info(one)["start_ts"] for one in (task, parent)] == started
    assert len(minihub.call("getTaskChildren", parent)) == children


def test_sigterm_ends_promptly_with_zero(minihub: MiniHub, asked: Hub, builder: Credentials, tmp_path: Path) -> None:
    """SIGTERM with a task running: exit code 0 in less than five seconds, the task stays open."""
    with process(minihub, builder, tmp_path) as child:
        task = minihub.make_task("sleep", [600])
        asked.until(lambda: asked.state(task) == "OPEN", "the start")
        before = time.monotonic()
        child.terminate()
        assert child.wait(60) == 0
        assert time.monotonic() - before < 5.0
    assert asked.state(task) == "OPEN"
