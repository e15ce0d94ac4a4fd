"""A control socket over an in-memory hub: the daemon's manager passed by hand, the socket real."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.control.client import ControlClient
from koji_adjutant.control.server import ControlServer
from koji_adjutant.control.start import start_control
from koji_adjutant.manager.assembly import Supplies, assemble
from koji_adjutant.manager.host_manager import HostManager
from koji_adjutant.manager.parts import Parts
from koji_adjutant.manager.readiness import Machine
from koji_adjutant.manager.running import RunningTask
from koji_adjutant.manager.starter import Settings
from koji_adjutant.monitoring.observe import DaemonObserver
from koji_adjutant.tasks.context import Interruption
from koji_adjutant.tasks.progress import Progress
from tests.support.manager_fakes import HUB_URL, IDENTITY, FakeHub, FakeRuntime, FakeSession


@dataclass
class Bench:
    """One daemon without its loops; `client` asks it."""

    hub: FakeHub
    runtime: FakeRuntime
    manager: HostManager
    parts: Parts
    client: ControlClient
    assembled: Callable[[], tuple[HostManager, Parts]]
    server: ControlServer

    def run(self, task_id: int, **context: Any) -> RunningTask:
        """Put a task into the table, with a directory for its logs."""
        known = {"task_id": task_id, "method": "buildArch", "start_ts": 5.5, "awaited": frozenset(), "adopted": False}
        known |= {"label": "", "progress": Progress(5.5, lambda _, make: make()), "interruption": Interruption()}
        task = RunningTask(SimpleNamespace(**known | context))  # type: ignore[arg-type] # as much of a context as is asked
        self.parts.table.add(task)
        self.logs(task_id)
        return task

    def logs(self, task_id: int) -> Path:
        """Where a task's logs lie."""
        path = self.parts.starter.directories.path(task_id) / "logs"
        path.mkdir(parents=True, exist_ok=True)
        return path


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose name is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="adjutant-control-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def make_bench(directory: Path) -> Iterator[Callable[..., Bench]]:
    """Make a bench that ends with the test; keywords are settings of section `control`."""
    servers = []

    def make(**control: Any) -> Bench:
        hub, runtime = FakeHub(), FakeRuntime()
        config = AdjutantConfig.model_validate({"state_dir": directory, "control": control})
        options = KojidOptions(server=HUB_URL, topurl="http://top", topurls=("http://top",), workdir=str(directory))
        shared: Any = SimpleNamespace(runtime_version="memory 1", prepared=SimpleNamespace(enabled=False, images=list))

        def assembled() -> tuple[HostManager, Parts]:
            supplies: Any = Supplies(
                session=FakeSession(hub),  # type: ignore[arg-type] # a fake
                identity=IDENTITY,
                settings=lambda: Settings(options, config),
                handlers={},
                runtime=runtime,  # type: ignore[arg-type] # a fake
                shared=shared,
                disk_paths=(),
                observe=lambda: Machine(disks=(), load=0.0, cpus=1),
            )
            return assemble(supplies)

        manager, parts = assembled()
        manager.adopted = True
        server = start_control(config, DaemonObserver(manager, parts).view, manager, parts)
        assert server is not None
        servers.append(server)
        path = config.control.path(directory)
        assert path is not None
        return Bench(hub, runtime, manager, parts, ControlClient(path), assembled, server)

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """A bench with the default settings."""
    return make_bench()


class Following(threading.Thread):
    """Reads a stream in a thread; `wait_for` waits for what has come."""

    def __init__(self, client: ControlClient, command: str, **arguments: Any) -> None:
        super().__init__(daemon=True)
        self._stream = client.stream(command, **arguments)
        self._news = threading.Condition()
        self.pieces: list[Mapping[str, Any]] = []
        self.end: Any = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            while True:
                piece = next(self._stream)
                with self._news:
                    self.pieces.append(piece)
                    self._news.notify_all()
        except StopIteration as end:
            self.end = end.value
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def wait_for(self, condition: Callable[[list[Mapping[str, Any]]], bool], timeout: float = 10.0) -> None:
        with self._news:
            assert self._news.wait_for(lambda: condition(self.pieces), timeout), self.pieces


@pytest.fixture
def following() -> type[Following]:
    """Reads a stream in a thread."""
    return Following
