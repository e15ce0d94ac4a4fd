"""A manager of an in-memory hub, passed by hand: nothing sleeps, each pass is one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import koji.tasks
import pytest

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.manager.assembly import Supplies, assemble
from koji_adjutant.manager.host_manager import HostManager
from koji_adjutant.manager.parts import LoopEnd, Parts
from koji_adjutant.manager.readiness import DiskSpace, Machine
from koji_adjutant.manager.starter import Settings
from koji_adjutant.manager.stopping import StopMode, stop
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.library import LIBRARY
from tests.support.manager_fakes import HUB_URL, IDENTITY, FakeClock, FakeHub, FakeRuntime, FakeSession


class Bench:
    """One daemon's manager over a hub, a runtime and a state directory that outlive it."""

    def __init__(
        self, hub: FakeHub, runtime: FakeRuntime, directory: Path, handlers: list[type[koji.tasks.BaseTaskHandler]]
    ) -> None:
        self.hub, self.runtime, self.clock = hub, runtime, FakeClock()
        self.session = FakeSession(hub)
        self.machine = Machine(disks=(DiskSpace("/state", 90_000),), load=0.1, cpus=4)
        self.options = KojidOptions(
            server=HUB_URL, topurl="http://top", topurls=("http://top",), workdir=str(directory / "work"), maxjobs=3
        )
        self.config = AdjutantConfig(state_dir=directory / "state")
        self.table = {method: handler for handler in (*LIBRARY, *handlers) for method in handler.Methods}
        self.adopted: list[bool] = []
        self.manager, self.parts = self._assemble()

    def _assemble(self) -> tuple[HostManager, Parts]:
        supplies: Any = Supplies(
            session=self.session,  # type: ignore[arg-type] # a fake
            identity=IDENTITY,
            settings=lambda: Settings(self.options, self.config),
            handlers=self.table,
            runtime=self.runtime,  # type: ignore[arg-type] # a fake
            shared=None,  # type: ignore[arg-type] # no task here asks for it
            disk_paths=(),
            clock=self.clock,
            observe=lambda: self.machine,
            on_adopted=lambda: self.adopted.append(True),
        )
        manager, parts = assemble(supplies)
        # The sweep's thread has tests of its own.
        parts.sweeper.start = lambda: None  # type: ignore[method-assign] # keeps the bench to one thread
        return manager, parts

    def one_pass(self) -> LoopEnd | float:
        """Pass once; return the pause, or the end."""
        self.parts.wake.clear()
        return self.manager._guarded_pass()

    def later(self, seconds: float = 60.0) -> LoopEnd | float:
        """Pass once when `seconds` have gone by."""
        self.clock.now += seconds
        return self.one_pass()

    def finish(self, task_id: int) -> None:
        """Wait until the thread of a task has ended, then take it out of the table."""
        running = self.parts.table.get(task_id)
        if running is not None:
            assert running.ended.wait(60), f"task {task_id} did not end"
            self.parts.table.reap()

    def directory(self, task_id: int) -> Path:
        return self.parts.starter.directories.path(task_id)

    def die(self) -> None:
        """End as `kill -9` would: no word to the hub, threads cut off from journals and containers."""
        for task in self.parts.table.all():
            task.context.interruption.stop()
            assert task.ended.wait(60)
        self.session.interrupt.set()


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def runtime() -> FakeRuntime:
    return FakeRuntime()


@pytest.fixture
def start(hub: FakeHub, runtime: FakeRuntime, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Start a daemon; called again, start its successor over the same hub, runtime and directory."""
    benches: list[Bench] = []

    def starter(*handlers: type[koji.tasks.BaseTaskHandler]) -> Bench:
        benches.append(Bench(hub, runtime, tmp_path, list(handlers)))
        return benches[-1]

    yield starter
    for bench in benches:
        bench.session.interrupt.clear()
        stop(bench.parts, StopMode.ABANDON)
        for task in bench.parts.table.all():
            task.ended.wait(60)


def handler(method: str, act: Callable[[Any], Any], **members: Any) -> type[koji.tasks.BaseTaskHandler]:
    """Make a task handler whose work is `act(handler, *params)`."""

    def work(self: Any, *params: Any) -> Any:
        return act(self, *params)

    return type(
        "Handler", (ThreadedTask, koji.tasks.BaseTaskHandler), {"Methods": [method], "handler": work, **members}
    )


@pytest.fixture
def make_handler() -> Callable[..., type[koji.tasks.BaseTaskHandler]]:
    return handler
