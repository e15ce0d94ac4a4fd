"""The runtime's health is part of readiness and asked now and then only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from koji_adjutant.errors import RuntimeUnavailable
from koji_adjutant.manager.observer import RUNTIME_INTERVAL, Observer
from koji_adjutant.manager.readiness import HostState, Limits, judge
from tests.support.manager_fakes import FakeClock

HOST = HostState(enabled=True, capacity=2.0, task_load=0.0, open_tasks=0)


class Runtime:
    """Answers with a list of troubles, one for each question."""

    def __init__(self, *troubles: Exception | None) -> None:
        self.troubles = list(troubles)

    def health_check(self) -> None:
        trouble = self.troubles.pop(0)
        if trouble:
            raise trouble

    def storage_path(self) -> Path:
        return Path("/nonexistent/storage")


def test_a_runtime_that_is_away_makes_the_host_not_ready(tmp_path: Path) -> None:
    """No task is taken while Podman is away, with its message as the reason; its return is noticed."""
    runtime: Any = Runtime(RuntimeUnavailable("no socket"), None)
    clock = FakeClock()
    observer = Observer(runtime, [tmp_path], clock, local=False)
    assert judge(HOST, observer.observe(), Limits(minspace=0)).reason == "Container runtime: no socket"
    clock.now += RUNTIME_INTERVAL - 1
    assert observer.observe().runtime_problem
    clock.now += 1
    assert not observer.observe().runtime_problem


def test_storage_of_the_runtime_needs_space_too(tmp_path: Path) -> None:
    """The file system of images and containers counts like the state directory."""
    runtime: Any = Runtime(None)
    observer = Observer(runtime, [tmp_path], FakeClock())
    assert [disk.path for disk in observer.observe().disks] == [str(tmp_path), "/nonexistent/storage"]


def test_a_cluster_without_room_makes_the_host_not_ready(tmp_path: Path) -> None:
    """Its own word is the reason; a runtime that cannot say such a thing has room."""
    runtime: Any = Runtime(None, None)
    runtime.capacity_problem = lambda: "Quota q of namespace n is full: pods 2 of 2"
    clock = FakeClock()
    observer = Observer(runtime, [tmp_path], clock, local=False)
    assert judge(HOST, observer.observe(), Limits(minspace=0)).reason.startswith("Quota q")
    del runtime.capacity_problem
    clock.now += RUNTIME_INTERVAL
    assert judge(HOST, observer.observe(), Limits(minspace=0)).ready
