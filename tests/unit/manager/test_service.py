"""The daemon as a service: systemd, signals, reload, plugins, successor."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.manager.notify import ServiceNotifier
from koji_adjutant.manager.process import successor
from koji_adjutant.manager.readiness import Readiness
from koji_adjutant.manager.reload import LiveSettings, reloaded
from koji_adjutant.manager.service_state import ServiceState, ServiceView, status_text
from koji_adjutant.manager.signals import SignalThread
from tests.support.manager_fakes import HUB_URL


@pytest.fixture
def systemd(tmp_path: Path):
    """A socket as systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(60)
        yield listener, str(tmp_path / "notify")


def test_ready_and_status_reach_systemd(systemd) -> None:
    """READY and the status line go in one message; newlines cannot forge another field."""
    listener, address = systemd
    ServiceNotifier({"NOTIFY_SOCKET": address}).ready("taking\nSTOPPING=1")
    assert listener.recv(1000) == b"READY=1\nSTATUS=taking STOPPING=1"


def test_watchdog_only_where_it_is_wanted(systemd) -> None:
    """Without WATCHDOG_USEC, or with that of another process, nothing is sent."""
    listener, address = systemd
    ServiceNotifier({"NOTIFY_SOCKET": address}).alive()
    ServiceNotifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "9000000", "WATCHDOG_PID": "1"}).alive()
    watched = ServiceNotifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "9000000", "WATCHDOG_PID": str(os.getpid())})
    watched.alive()
    assert listener.recv(1000) == b"WATCHDOG=1"
    assert watched.watchdog_seconds == 9.0


def test_without_systemd_nothing_happens() -> None:
    """No socket, or one that is gone: no error."""
    ServiceNotifier({}).ready()
    ServiceNotifier({"NOTIFY_SOCKET": "/nonexistent/notify"}).stopping()


def test_signals_become_calls() -> None:
    """A signal calls its action in another thread; afterwards the default handlers are back."""
    called = threading.Event()
    seen: list[str] = []

    def action() -> None:
        seen.append(threading.current_thread().name)
        called.set()

    signals = SignalThread({signal.SIGUSR1: action})
    signals.install()
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert called.wait(60)
    finally:
        signals.close()
    assert seen == ["signals"]
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_a_failing_action_does_not_end_the_thread() -> None:
    """An action that raises is logged; the next signal still acts."""
    called = threading.Event()
    answers = iter([False, True])

    def action() -> None:
        if not next(answers):
            os.kill(os.getpid(), signal.SIGUSR1)
            raise ValueError("broken")
        called.set()

    signals = SignalThread({signal.SIGUSR1: action})
    signals.install()
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert called.wait(60)
    finally:
        signals.close()


def test_reload_takes_what_may_change() -> None:
    """Intervals and limits change at once; what connections were made from waits for a restart."""
    old = AdjutantConfig()
    new = AdjutantConfig.model_validate({"stop": "drain", "state_dir": "/elsewhere", "poll": {"host_tasks": 9}})
    config, changed, kept = reloaded(old, new)
    assert (config.stop, config.poll.host_tasks, config.state_dir) == ("drain", 9, old.state_dir)
    assert (sorted(changed), kept) == (["poll", "stop"], ["state_dir"])


def test_broken_file_changes_nothing(tmp_path: Path) -> None:
    """A reload with a bad file keeps the settings in force; a good one replaces them."""
    path = tmp_path / "adjutant.yaml"
    options = KojidOptions(server=HUB_URL, topurl="http://top", topurls=("http://top",))
    live = LiveSettings(options, AdjutantConfig(), {"ADJUTANT_CONFIG": str(path)})
    path.write_text("stopp: drain\n")
    assert not live.reload()
    assert live().config.stop == "keep"
    path.write_text("stop: drain\n")
    seen = []
    assert live.reload(seen.append)
    assert live().config.stop == "drain"
    assert seen == [live()]


@pytest.mark.parametrize(
    ("argv", "locked", "expected"),
    [
        (["python3", "-m", "koji_adjutant.daemon", "--fg"], False, ["-m", "koji_adjutant.daemon", "--fg"]),
        (["python3", "/usr/bin/kojid"], True, ["/usr/bin/kojid", "--force-lock"]),
        (["python3", "/usr/bin/kojid", "--force-lock"], True, ["/usr/bin/kojid", "--force-lock"]),
    ],
)
def test_successor(argv: list[str], locked: bool, expected: list[str]) -> None:
    """The successor has our command line, and takes the lock by force only when we could not give it back."""
    assert successor(argv, locked=locked) == [sys.executable, *expected]


def received(listener: socket.socket, count: int) -> list[str]:
    """The next messages to systemd."""
    return [listener.recv(1000).decode() for _ in range(count)]


def view(**changed: Any) -> ServiceView:
    known: dict[str, Any] = {
        "said": Readiness(ready=True),
        "running": 3,
        "waiting": 0,
        "adopted": True,
        "ending": False,
    }
    return ServiceView(**known | changed)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "b1: taking tasks; 3 running"),
        ({"waiting": 2}, "b1: taking tasks; 3 running, 2 of them waiting for children"),
        ({"said": Readiness(ready=False, reason="no disk"), "running": 0}, "b1: not taking tasks: no disk; 0 running"),
        ({"ending": True}, "b1: takes no more tasks and ends when none runs; 3 running"),
        ({"adopted": False, "running": 0}, "b1: looking through what its predecessor left; 0 running"),
    ],
)
def test_status_line(changed: dict[str, Any], text: str) -> None:
    """`systemctl status` says what the daemon does, and why it takes no tasks."""
    assert status_text("b1", view(**changed)) == text


def watched(address: str, look: Callable[[], ServiceView]) -> ServiceState:
    notifier = ServiceNotifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "9000000"})
    return ServiceState(notifier, "b1", look)


def test_started_with_the_first_check_in(systemd) -> None:
    """READY is said once, when the hub has answered."""
    listener, address = systemd
    service = watched(address, view)
    service.checked_in()
    service.checked_in()
    service.waiting_for_hub()
    assert received(listener, 2) == ["READY=1", "WATCHDOG=1"]


def test_each_pass_feeds_the_watchdog(systemd) -> None:
    """A pass says that the loop lives; the status is sent when it changes."""
    listener, address = systemd
    views = iter([view(), view(), view(running=4)])
    service = watched(address, lambda: next(views))
    for _ in range(3):
        service.passed()
    assert received(listener, 5) == [
        "WATCHDOG=1",
        "STATUS=b1: taking tasks; 3 running",
        "WATCHDOG=1",
        "WATCHDOG=1",
        "STATUS=b1: taking tasks; 4 running",
    ]


def test_a_drain_asks_for_time(systemd) -> None:
    """While tasks are waited for, systemd must not take the stop for one that hangs."""
    listener, address = systemd
    watched(address, lambda: view(ending=True)).passed()
    assert received(listener, 3)[2] == "EXTEND_TIMEOUT_USEC=120000000"


def test_a_restart_is_not_a_stop(systemd) -> None:
    """After STOPPING systemd would end the successor, which is the same process."""
    listener, address = systemd
    ServiceNotifier({"NOTIFY_SOCKET": address}).restarting("Restarting")
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=Restarting", *received(listener, 1))
