"""A disk without room: tasks go back with the name of the file system, others go on, kept roots make room."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import koji
import koji.tasks
import pytest

from koji_adjutant.buildroot.faults import BuildFault, InfrastructureFault
from koji_adjutant.disk import mount_point
from koji_adjutant.errors import DiskFull
from koji_adjutant.manager.readiness import DiskSpace
from koji_adjutant.manager.verdict_policy import HERE_LIMIT
from koji_adjutant.tasks.journal import RESERVE, Journal
from koji_adjutant.tasks.kept_root import keep_failed_root, keep_root, kept_until
from tests.support.manager_fakes import HOST_ID, FakeHub, FakeRuntime

Start = Callable[..., Any]
Make = Callable[..., type[koji.tasks.BaseTaskHandler]]


def no_space(*_: Any) -> Any:
    """Fail as a call of the system does on a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_space_at(path: str) -> Callable[..., Any]:
    """Fail as `open` does on a full disk."""

    def fail(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    return fail


@pytest.mark.parametrize("act", [no_space_at("/srv/state/x.rpm"), no_space])
def test_a_handler_that_meets_a_full_disk_gives_its_task_back(
    start: Start, hub: FakeHub, make_handler: Make, act: Callable[..., Any]
) -> None:
    """Softly, with a reason that names the disk and the path; the host goes on with the next task."""
    bench = start(make_handler("fill", act), make_handler("add", lambda _: 1))
    full, other = hub.add_task("fill"), hub.add_task("add")
    bench.one_pass()
    bench.one_pass()
    bench.finish(full)
    bench.finish(other)
    assert hub.state(full) == "FREE"
    assert hub.state(other) == "CLOSED"
    [refusal] = hub.refusals
    assert (refusal["task_id"], refusal["soft"]) == (full, True)
    place = "/srv/state/x.rpm" if act is not no_space else str(bench.directory(full).parents[2])
    assert refusal["msg"].startswith(f"disk-full: no space left on {mount_point(Path(place))}: cannot write ")
    assert place in refusal["msg"] or str(bench.options.workdir) in refusal["msg"]


def test_a_task_is_not_given_back_for_ever(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """Where no other host takes it, it fails with the same words after a few tries."""
    bench = start(make_handler("fill", no_space_at("/srv/x")))
    task = hub.add_task("fill")
    for _ in range(HERE_LIMIT + 1):
        bench.later()
        bench.finish(task)
        if hub.state(task) == "FREE":
            hub.tasks[task].update(state=koji.TASK_STATES["ASSIGNED"], host_id=HOST_ID)
    assert hub.state(task) == "FAILED"
    assert f"no space left on {mount_point(Path('/srv/x'))}: cannot write /srv/x" in hub.results[task][1]


def test_a_task_without_room_for_its_journal_is_given_back(
    start: Start, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused softly, not freed to come straight back; nothing of it stays, and with room the next one runs."""
    bench = start()
    bench.one_pass()
    task = hub.add_task("sleep", 0)
    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", no_space)
        bench.later()
    assert (hub.state(task), hub.refusals[0]["soft"]) == ("FREE", True)
    disk = mount_point(bench.directory(task))
    assert hub.refusals[0]["msg"].startswith(f"disk-full: no space left on {disk}: cannot write task journal ")
    assert not list(bench.directory(task).glob("*"))
    after = hub.add_task("sleep", 0)
    bench.later()
    bench.finish(after)
    assert hub.state(after) == "CLOSED"


@pytest.mark.parametrize("fails_at", ["intent", "result"])
def test_the_end_is_reported_without_a_journal(
    start: Start, hub: FakeHub, make_handler: Make, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    """When not even the end can be noted, the hub hears it all the same, once."""
    record = Journal._record

    def full(self: Journal, entry: dict[str, Any], *, durable: bool = True) -> None:
        if entry.get(fails_at) == "report":
            raise DiskFull("no space left")
        record(self, entry, durable=durable)

    monkeypatch.setattr(Journal, "_record", full)
    bench = start(make_handler("add", lambda _: 1))
    task = hub.add_task("add")
    bench.one_pass()
    bench.finish(task)
    assert hub.state(task) == "CLOSED"
    assert len(hub.made("host.closeTask")) == 1


def test_an_act_that_cannot_be_noted_gives_the_task_back(start: Start, hub: FakeHub, make_handler: Make) -> None:
    """Nothing that cannot be recovered is begun."""
    acts: list[int] = []

    def work(self: Any) -> Any:
        os_write = os.pwrite
        try:
            os.pwrite = no_space
            return self.once("act", lambda: acts.append(1), note="x" * RESERVE)
        finally:
            os.pwrite = os_write

    bench = start(make_handler("act", work))
    task = hub.add_task("act")
    bench.one_pass()
    bench.finish(task)
    assert (hub.state(task), acts) == ("FREE", [])
    assert hub.refusals[0]["msg"].startswith("disk-full: ")


def test_a_root_is_not_kept_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the root that has to go; one that can be kept is."""
    monkeypatch.setattr(Path, "write_text", no_space)
    assert not keep_root(tmp_path, 5.0)
    monkeypatch.undo()
    assert kept_until(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert keep_root(tmp_path, 5.0)
    assert kept_until(tmp_path) == 5.0
    with monkeypatch.context() as nothing:
        nothing.setattr("koji_adjutant.tasks.kept_root.free_bytes", lambda _: 4096)
        assert not keep_root(tmp_path, 9.0)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (RuntimeError("a bug"), True),
        (BuildFault("error building package"), True),
        (DiskFull("no space left"), False),
        (OSError(errno.ENOSPC, "no space"), False),
        (InfrastructureFault("x", reason="metadata", final=BuildFault("x")), False),
    ],
)
def test_whose_roots_are_kept(tmp_path: Path, error: BaseException, kept: bool) -> None:
    """Those that failed by themselves: somebody may want to look; what goes to another host leaves nothing."""
    context: Any = SimpleNamespace(
        directory=tmp_path,
        options=SimpleNamespace(failed_buildroot_lifetime=60),
        runtime=FakeRuntime(),
        labels=lambda _: {},
        log=None,
    )
    keep_failed_root(context, error)
    assert (kept_until(tmp_path) is not None) is kept


def _keep(bench: Any, runtime: FakeRuntime, task: int, ended: float) -> Path:
    """Leave the kept root of a failed task."""
    directory: Path = bench.directory(task)
    directory.mkdir(parents=True)
    runtime.add(f"root-{task}", task, 1.0, created_at=ended)
    keep_root(directory, bench.clock.now + 9000)
    os.utime(directory, (ended, ended))
    return directory


def test_kept_roots_go_oldest_first_until_there_is_room(start: Start, runtime: FakeRuntime) -> None:
    """One sweep makes the room that is needed and takes no more than that."""
    bench = start()
    bench.one_pass()
    kept = [_keep(bench, runtime, task, ended) for task, ended in ((31, 300.0), (32, 100.0), (33, 200.0), (34, 400.0))]
    bench.parts.sweeper.disk_short = lambda: sum(path.exists() for path in kept) > 2
    freed: list[int] = []
    bench.parts.sweeper.make_room = lambda: freed.append(sum(path.exists() for path in kept)) or 0
    bench.parts.sweeper.sweep()
    assert [path.name for path in kept if path.exists()] == ["31", "34"]
    assert sorted(runtime.containers) == ["root-31", "root-34"]
    assert freed == [4], "caches go before roots"


def test_sweep_ends_when_nothing_can_make_room(start: Start, runtime: FakeRuntime) -> None:
    """A disk that others have filled is not swept for ever."""
    bench = start()
    bench.one_pass()
    kept = _keep(bench, runtime, 31, 300.0)
    bench.parts.sweeper.disk_short = lambda: True
    bench.parts.sweeper.make_room = lambda: 0
    bench.parts.sweeper.sweep()
    assert not kept.exists()


def test_a_host_short_of_disk_sweeps_at_once_and_takes_nothing(start: Start, hub: FakeHub) -> None:
    """The reason is told, the task stays where it is, and is taken when there is room again."""
    bench = start()
    bench.one_pass()
    room = bench.machine
    bench.machine = replace(room, disks=(DiskSpace("/state", 3),))
    task = hub.add_task("sleep", 0)
    bench.later()
    assert bench.parts.sweeper.wanted.is_set()
    assert hub.state(task) == "ASSIGNED"
    bench.machine = room
    bench.parts.sweeper.wanted.clear()
    bench.later()
    bench.finish(task)
    assert hub.state(task) == "CLOSED"
    assert not bench.parts.sweeper.wanted.is_set()
