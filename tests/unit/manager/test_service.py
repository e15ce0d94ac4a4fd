"""The daemon as a service: systemd, signals, reload, plugins, successor."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.manager.notify import ServiceNotifier
from koji_adjutant.manager.process import successor
from koji_adjutant.manager.reload import LiveSettings, reloaded
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
