"""The end of a task reaches the hub on a broken disk, and when the hub will never take the result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import koji
import koji.tasks
import pytest

from koji_adjutant.errors import AdjutantError, HubError, ImageError, JournalError
from koji_adjutant.hub.refusals import too_large
from koji_adjutant.tasks.journal import Journal
from tests.support.manager_fakes import FakeHub, FakeRuntime

Start = Callable[..., Any]
Make = Callable[..., type[koji.tasks.BaseTaskHandler]]


def broken(fails_at: str, name: str) -> Callable[..., None]:
    """Return a `Journal._record` of a disk that has turned read-only before `name` is recorded."""
    record = Journal._record

    def write(self: Journal, entry: dict[str, Any], *, durable: bool = True) -> None:
        if entry.get(fails_at) == name:
            raise JournalError("cannot write task journal: Read-only file system")
        record(self, entry, durable=durable)

    return write


@pytest.mark.parametrize("fails_at", ["intent", "result"])
def test_the_end_is_reported_on_a_broken_disk(
    start: Start, hub: FakeHub, make_handler: Make, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    """A journal that cannot be written any more throws no result away; the hub hears it once."""
    monkeypatch.setattr(Journal, "_record", broken(fails_at, "report"))
    bench = start(make_handler("add", lambda _: 1))
    task = hub.add_task("add")
    bench.one_pass()
    bench.finish(task)
    assert hub.state(task) == "CLOSED"
    assert len(hub.made("host.closeTask")) == 1


def test_a_journal_that_cannot_be_removed_keeps_nothing_else(
    start: Start, hub: FakeHub, runtime: FakeRuntime, make_handler: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers and session of the task go even where its file stays."""

    def work(self: Any) -> int:
        runtime.add("root", self.id, self.context.start_ts)
        return 1

    def read_only(self: Path, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system", str(self))

    bench = start(make_handler("work", work))
    task = hub.add_task("work")
    closed: list[int] = []
    monkeypatch.setattr(Journal, "delete", lambda self: read_only(self.path))
    monkeypatch.setattr(type(bench.session), "close", lambda _: closed.append(1))
    bench.one_pass()
    bench.finish(task)
    assert hub.state(task) == "CLOSED"
    assert not runtime.containers
    assert closed


@pytest.mark.parametrize(
    "error",
    [
        too_large("host.closeTask", 5 << 20),
        koji.CallbackError("plugin says no"),
        Fault(1, "psycopg2.errors.DataError: unsupported Unicode escape"),
    ],
)
def test_a_result_that_the_hub_refuses_fails_the_task(
    start: Start, hub: FakeHub, make_handler: Make, error: Exception
) -> None:
    """As under kojid: the task ends with the hub's words, and is not run again."""

    def refuse(*_: Any) -> None:
        raise error

    bench = start(make_handler("work", lambda _: 1))
    task = hub.add_task("work")
    hub.before["host.closeTask"] = refuse
    bench.one_pass()
    bench.finish(task)
    assert hub.state(task) == "FAILED"
    words = error.brief if isinstance(error, AdjutantError) else str(getattr(error, "faultString", error))
    assert words in hub.results[task][1]
    assert not bench.directory(task).exists()


@pytest.mark.parametrize(("elsewhere", "state", "given_up"), [(False, "FREE", []), (True, "FAILED", [1])])
def test_a_task_that_is_given_up_ends_its_build(
    start: Start, hub: FakeHub, make_handler: Make, elsewhere: bool, state: str, given_up: list[int]
) -> None:
    """Given back, another run goes on with the build; refused by two hosts, the task fails, and so does what it made."""
    ended: list[int] = []

    def end() -> None:
        ended.append(1)
        raise koji.GenericError("no such build")

    def work(self: Any) -> None:
        self.context.given_up = end
        raise ImageError("there is no image", reason="missing")

    bench = start(make_handler("work", work))
    task = hub.add_task("work")
    if elsewhere:
        hub.refusals.append({"task_id": task, "host_id": 99, "msg": "missing: there is none", "by_host": True})
    bench.one_pass()
    bench.finish(task)
    assert (hub.state(task), ended) == (state, given_up)


def test_a_failure_instead_of_a_result_is_finished_by_the_next_daemon(
    start: Start, hub: FakeHub, make_handler: Make
) -> None:
    """A daemon that dies between the refused result and the failure: the next one fails the task and runs nothing."""
    runs: list[int] = []
    asked = threading.Event()

    def refuse(*_: Any) -> None:
        raise koji.CallbackError("plugin says no")

    def away(*_: Any) -> None:
        asked.set()
        raise HubError("away", retryable=True)

    handler = make_handler("work", lambda _: runs.append(1))
    first = start(handler)
    task = hub.add_task("work")
    hub.before.update({"host.closeTask": refuse, "host.failTask": away})
    first.one_pass()
    assert asked.wait(60)
    first.die()
    hub.before.clear()
    second = start(handler)
    second.one_pass()
    second.finish(task)
    assert (hub.state(task), runs) == ("FAILED", [1])
    assert "plugin says no" in hub.results[task][1]


def test_a_session_that_may_not_report_leaves_the_task(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """An error of the login says nothing of the result: the task is not failed, another daemon goes on with it."""

    def refuse(*_: Any) -> None:
        raise koji.AuthError("not logged in")

    bench = start(make_handler("work", lambda _: 1))
    task = hub.add_task("work")
    hub.before["host.closeTask"] = refuse
    bench.one_pass()
    bench.finish(task)
    assert hub.state(task) == "OPEN"
    assert bench.directory(task).exists()
