"""A hub that does not listen, with a clock in the test's hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import koji
import koji.xmlrpcplus
import pytest

from koji_adjutant.minihub import HubOptions, MiniHub
from koji_adjutant.minihub.rpc import Dispatcher


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += seconds


class Caller:
    """Calls as documents, without HTTP."""

    def __init__(self, hub: MiniHub) -> None:
        self._dispatcher = Dispatcher(hub.state)
        self.headers: dict[str, str | None] = {}
        self.number = 0

    def __call__(self, method: str, *args: Any, number: int | None = None, **kwargs: Any) -> Any:
        body = koji.xmlrpcplus.dumps(koji.encode_args(*args, **kwargs), method).encode()
        headers = self.headers | ({"callnum": str(self.number if number is None else number)} if self.headers else {})
        self.number += 1 if number is None else 0
        try:
            return koji.xmlrpcplus.loads(self._dispatcher.answer_call(body, headers))[0][0]
        except koji.xmlrpcplus.Fault as fault:
            raise koji.convertFault(fault) from fault

    def login(self, user: str, password: str) -> Any:
        found = self("login", user, password)
        self.headers = {"id": str(found["session-id"]), "key": found["session-key"]}
        return self


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub(tmp_path: Path, clock: Clock) -> Iterator[MiniHub]:
    mini = MiniHub(tmp_path / "hub", clock=clock, options=HubOptions(run_interval=60.0))
    yield mini
    mini.stop()


@pytest.fixture
def builder(hub: MiniHub) -> Caller:
    """A host with the lock that has checked in."""
    host = hub.add_host("builder", capacity=4.0)
    caller = Caller(hub).login(host.user, host.password)
    caller("exclusiveSession")
    caller("host.updateHost", 0.0, True, data={"maxjobs": 10})
    return caller


@pytest.fixture
def other(hub: MiniHub) -> Caller:
    """A second such host."""
    host = hub.add_host("other", capacity=4.0)
    caller = Caller(hub).login(host.user, host.password)
    caller("exclusiveSession")
    caller("host.updateHost", 0.0, True)
    return caller
