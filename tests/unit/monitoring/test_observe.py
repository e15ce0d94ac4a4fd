"""A view is read off a manager that takes, runs and refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import koji.tasks
import pytest

from koji_adjutant.manager.readiness import DiskSpace, Machine
from koji_adjutant.monitoring.observe import DaemonObserver, pages_of
from tests.support.manager_fakes import FakeHub, FakeRuntime
from tests.unit.manager.conftest import Bench, handler


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., tuple[Bench, DaemonObserver, FakeHub]]]:
    """Start a daemon's manager, and what looks at it."""
    benches = []

    def start(*handlers: type[koji.tasks.BaseTaskHandler]) -> tuple[Bench, DaemonObserver, FakeHub]:
        hub = FakeHub()
        bench = Bench(hub, FakeRuntime(), tmp_path, list(handlers))
        benches.append(bench)
        nothing: Any = SimpleNamespace(prepared=SimpleNamespace(enabled=True, images=list))
        bench.parts.starter.shared = nothing
        observer = DaemonObserver(bench.manager, bench.parts)
        observer.survey.look()
        return bench, observer, hub

    yield start
    for bench in benches:
        bench.die()


def test_a_running_task_is_seen(started: Any) -> None:
    """Method, label, phase and place while it runs; in the history when it has ended."""
    inside, leave = threading.Event(), threading.Event()

    def work(task: Any, *_: Any) -> None:
        progress = task.context.progress
        progress.state("Start: rpmbuild a.src.rpm")
        progress.in_container("box")
        progress.from_image("tools:1", "sha256:aa", "prepared:2")
        inside.set()
        assert leave.wait(10)

    bench, observer, hub = started(handler("buildArch", work))
    task_id = hub.add_task("buildArch", "a.src.rpm", "f43", "x86_64", True)
    bench.one_pass()
    assert inside.wait(10)
    (seen,) = observer.view().tasks
    assert (seen.task_id, seen.label, seen.phase, seen.doing) == (
        task_id,
        "a.src.rpm, x86_64",
        "build",
        "rpmbuild a.src.rpm",
    )
    assert (seen.container, seen.image, seen.digest, seen.prepared) == ("box", "tools:1", "sha256:aa", "prepared:2")
    assert observer.log_directory(task_id) == bench.directory(task_id) / "logs"
    leave.set()
    bench.finish(task_id)
    assert (observer.view().tasks, observer.log_directory(task_id)) == ((), None)
    assert observer.ended(task_id).result == "closed"


def test_every_reason_is_seen(started: Any) -> None:
    """The hub is told the first; the page shows all, with what the host is at the hub."""
    bench, observer, hub = started()
    hub.host["enabled"] = False
    bench.machine = Machine(disks=(DiskSpace("/state", 5),), runtime_problem="Container runtime: no socket")
    bench.one_pass()
    bench.parts.check_in.say()
    view = observer.view()
    assert [reason.split(":")[0] for reason in view.reasons] == [
        "Host is disabled",
        "Insufficient disk space at /state",
        "Container runtime",
    ]
    assert (view.hub_host.enabled, view.hub_host.capacity, view.hub_host.arches) == (False, 4.0, "x86_64")
    assert view.runtime.problem == "Container runtime: no socket"
    assert view.document()["state"] == "not ready"


def test_before_the_first_pass_there_is_a_view(started: Any) -> None:
    """Of a daemon that is starting."""
    _, observer, _ = started()
    view = observer.view()
    assert (view.document()["state"], view.hub_host.enabled, view.reasons) == ("starting", None, ("Starting up",))


@pytest.mark.parametrize(
    ("hub", "pages"),
    [
        ("https://koji.example.com/kojihub", "https://koji.example.com/koji"),
        ("http://me:secret@hub:8080/kojihub/", "http://hub:8080/koji"),
        ("https://hub.example.com/rpc", ""),
        ("javascript:alert(1)/kojihub", ""),
    ],
)
def test_pages_of_the_hub(hub: str, pages: str) -> None:
    """By custom they stand beside it; an address that says nothing of them links nowhere."""
    assert pages_of(hub) == pages
