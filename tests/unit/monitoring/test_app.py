"""The HTTP view over a real socket: who is answered, and what with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from koji_adjutant.config.monitoring import MonitoringSection
from koji_adjutant.monitoring.guard import is_addressed_to
from koji_adjutant.monitoring.server import MonitoringServer
from koji_adjutant.monitoring.start import allowed_hosts
from koji_adjutant.monitoring.view import DaemonView
from tests.support.daemon_view import view
from tests.support.made_up_daemon import MadeUpDaemon
from tests.support.served_page import served

Serve = Callable[..., str]


class Seen(MadeUpDaemon):
    """A daemon of which only the view counts."""

    def __init__(self, seen: DaemonView) -> None:
        super().__init__(Path("/nonexistent"))
        self.seen = seen

    def view(self) -> DaemonView:
        return self.seen


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve a view; gives the address."""
    with ExitStack() as stack:

        def start(seen: DaemonView, token: str | None = None) -> str:
            return stack.enter_context(served(Seen(seen), token=token))

        yield start


def get(url: str, **headers: str) -> requests.Response:
    """Ask, past any proxy."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, headers=headers, timeout=60)


@pytest.mark.parametrize(
    ("seen", "health", "readiness"),
    [
        (view(), (200, "ok\n"), (200, "ready\n")),
        (view(ready=False, reason="Over capacity"), (200, "ok\n"), (503, "not ready: Over capacity\n")),
        (view(check_in_age=181.0), (503, "not well\n"), (503, "not ready: \n")),
        (view(check_in_age=None), (503, "not well\n"), (503, "not ready: \n")),
        (view(adopted=False), (503, "not well\n"), (503, "not ready: \n")),
    ],
)
def test_probes(serve: Serve, seen: DaemonView, health: tuple[int, str], readiness: tuple[int, str]) -> None:
    """Well: adopted, and the hub hears of it; ready: the host takes tasks besides."""
    address = serve(seen)
    answers = [get(address + path) for path in ("/healthz", "/readyz")]
    assert [(answer.status_code, answer.text) for answer in answers] == [health, readiness]


def test_metrics(serve: Serve) -> None:
    """Gauges of the daemon as Prometheus reads them; a disk that cannot be looked at has none."""
    lines = get(serve(view()) + "/metrics").text.splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'koji_adjutant_build_info{host="builder",version="1.2"} 1.0',
        "koji_adjutant_ready 1.0",
        "koji_adjutant_load 1.5",
        "koji_adjutant_check_in_age_seconds 3.0",
        'koji_adjutant_tasks_running{method="build",waiting="yes"} 1.0',
        'koji_adjutant_tasks_running{method="buildArch",waiting="no"} 1.0',
        'koji_adjutant_disk_free_bytes{path="/state"} 9.437184e+09',
    ]


def test_status(serve: Serve) -> None:
    """Everything of the view, as JSON."""
    document = get(serve(view()) + "/api/status").json()
    known = {"task_id": 7, "method": "buildArch", "since": 1000.0, "waiting": False, "adopted": False}
    assert known.items() <= document["tasks"][0].items()
    assert (document["ready"], document["load"], document["disks"][1]) == (
        True,
        1.5,
        {"path": "/gone", "free_mb": None},
    )


def test_a_foreign_name_is_refused(serve: Serve) -> None:
    """A page that had its own name resolved to this address reads nothing."""
    address = serve(view())
    assert get(address + "/api/status", Host="evil.example.com").status_code == 400
    assert get(address + "/api/status", Host="localhost:1").status_code == 200


def test_a_token_is_asked_for(serve: Serve) -> None:
    """Without the right token only the probes answer."""
    address = serve(view(), token="secret")
    codes = [
        get(address + path, **headers).status_code
        for path in ("/metrics", "/api/status", "/healthz")
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "bearer secret"})
    ]
    assert codes == [401, 401, 200, 401, 401, 200, 200, 200, 200]


def test_nothing_can_be_sent(serve: Serve) -> None:
    """Only reading is answered, and every answer forbids what a browser might make of it."""
    address = serve(view())
    with requests.Session() as session:
        session.trust_env = False
        assert session.post(address + "/api/status", timeout=60).status_code == 405
    headers = get(address + "/nothing").headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_an_address_in_use_is_no_failure(serve: Serve) -> None:
    """The daemon goes on without its view."""
    port = int(serve(view()).rpartition(":")[2])
    assert MonitoringServer(None, "127.0.0.1", port).start() is False


@pytest.mark.parametrize(
    ("host", "served"),
    [
        ("localhost:9745", True),
        ("LOCALHOST", True),
        ("[::1]:9745", True),
        ("[::1]", True),
        ("a.example.com:80", True),
        ("example.com", False),
        ("", False),
        ("1.2.3.4:9745", False),
    ],
)
def test_names(host: str, *, served: bool) -> None:
    """The port does not count, brackets are literal, globs are the operator's."""
    section = MonitoringSection(allowed_hosts=("*.example.com",))
    assert is_addressed_to(host, allowed_hosts(section, "127.0.0.1")) is served
