"""The daemon as a process on an embedded hub: order, texts and exit codes (contract 1.2, 1.7, 1.8)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import koji
import pytest
import requests

from koji_adjutant.minihub.hub import MiniHub
from tests.support.free_port import free_port

ROOT = Path(__file__).parents[2]
PASSWORD = "of the builder"
PATIENCE = 120.0
"""Seconds to wait for what must come at some time."""


@dataclass
class Site:
    """An embedded hub, and the configuration of a daemon for it."""

    hub: MiniHub
    directory: Path
    conf: dict[str, Any]
    port: int = 0
    """Where the daemon serves its view."""
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def write(self, yaml: str = "", **changed: Any) -> None:
        """Write both files; `changed` are lines of kojid.conf, None removes one."""
        lines = {**self.conf, **changed}
        text = "".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None)
        (self.directory / "kojid.conf").write_text(f"[kojid]\n{text}")
        head = f"runtime: memory\nstate_dir: {self.directory}/state\nmonitoring: {{listen: '127.0.0.1:{self.port}'}}\n"
        (self.directory / "adjutant.yaml").write_text(head + yaml)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the daemon in the foreground."""
        command = [
            sys.executable,
            "-m",
            "tests.support.idle_machine_daemon",
            "-c",
            str(self.directory / "kojid.conf"),
            *arguments,
        ]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "ADJUTANT_CONFIG": str(self.directory / "adjutant.yaml")}
        # A file, not a pipe: nobody reads along, and a daemon whose pipe is full stands still.
        with self._log(len(self.children)).open("wb") as log:
            child = subprocess.Popen(
                [*command, "--fg", "--verbose"],
                cwd=ROOT,
                env={**environ, "NOTIFY_SOCKET": str(self.directory / "notify")},
                stderr=log,
            )
        self.children.append(child)
        return child

    def ended(self, child: subprocess.Popen[bytes]) -> tuple[int, str]:
        """Wait for the end of a daemon; return exit code and stderr."""
        return child.wait(PATIENCE), self.said(child)

    def ends(self, *arguments: str) -> tuple[int, str]:
        """Run the daemon to its end; return exit code and stderr."""
        return self.ended(self.start(*arguments))

    def said(self, child: subprocess.Popen[bytes]) -> str:
        """Return what a daemon has written to stderr so far."""
        return self._log(self.children.index(child)).read_text(errors="replace")

    def _log(self, number: int) -> Path:
        return self.directory / f"daemon-{number}.log"

    def state(self, task: int) -> str:
        return koji.TASK_STATES[self.hub.call("getTaskInfo", task)["state"]]

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for something at the hub."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come"
            time.sleep(0.05)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with MiniHub(tmp_path / "hub") as hub:
        builder = hub.add_host("builder", "x86_64", password=PASSWORD, capacity=20.0)
        conf = {
            "server": hub.url,
            "topurl": hub.topurl,
            "user": builder.user,
            "password": PASSWORD,
            "workdir": tmp_path / "work",
            "minspace": 1,
            "sleeptime": 1,
        }
        made = Site(hub, tmp_path, conf)
        made.write()
        yield made
        for child in made.children:
            child.kill()
            child.wait()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket that systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(PATIENCE)
        yield listener


def test_connection_test(site: Site) -> None:
    """`--skip-main` logs in, takes the lock, echoes, and leaves no lock behind."""
    for _ in range(2):
        code, text = site.ends("--skip-main")
        assert (code, "Unable" in text) == (0, False), text


@pytest.mark.parametrize(
    ("change", "arguments", "code", "words"),
    [
        ({}, ["stray"], 2, "incorrect number of arguments"),
        ({"server": None}, [], 2, "server"),
        ({"no_such_option": 1}, [], 1, "unknown config option: no_such_option"),
        ({"maxjobs": "many"}, [], 1, "value for maxjobs option must be a valid integer"),
        ({"log_level": "LOUD"}, [], 1, "Invalid log level: LOUD"),
        ({"password": "wrong"}, [], 1, "Error: Unable to log in. Bad credentials?"),
        ({"server": "http://127.0.0.1:9/kojihub"}, [], 1, "Error: Unable to connect to server"),
        ({"yaml": "stopp: keep\n"}, [], 1, "stopp"),
        ({"yaml": "stop: maybe\n"}, [], 1, "stop"),
        ({"yaml": "stop: [\n"}, [], 1, "adjutant.yaml"),
        ({"yaml": "", "user": "admin"}, [], 1, "is not a host"),
    ],
)
def test_bad_input(site: Site, change: dict[str, Any], arguments: list[str], code: int, words: str) -> None:
    """Each fault of a configuration ends the start with kojid's exit code and one message that names it."""
    if change.get("user") == "admin":
        change = {**change, "password": site.hub.admin.password}
    site.write(**change)
    got, text = site.ends(*arguments)
    assert got == code, text
    assert words in text
    assert "Traceback" not in text


def test_missing_socket(site: Site) -> None:
    """A runtime that is not there ends the start with a remedy, and the lock is given back."""
    (site.directory / "adjutant.yaml").write_text(
        f"state_dir: {site.directory}/state\npodman:\n  socket: unix://{site.directory}/gone.sock\n"
    )
    code, text = site.ends()
    assert code == 1
    assert f"{site.directory}/gone.sock" in text
    assert "systemctl" in text
    site.write()
    assert site.ends("--skip-main")[0] == 0


def told(systemd: socket.socket, what: bytes) -> None:
    """Wait until systemd is told `what`; it may hear of the daemon's state before."""
    while not (message := systemd.recv(1000)).startswith(what):
        assert message.startswith((b"STATUS=", b"WATCHDOG=1", b"EXTEND_TIMEOUT_USEC=")), message


def test_name_taken(site: Site, systemd: socket.socket) -> None:
    """A second daemon of the name ends with kojid's words; the first goes on."""
    first = site.start()
    told(systemd, b"READY=1")
    code, text = site.ends()
    assert code == 1
    assert "Unable to get lock. Trying using --force-lock" in text
    assert first.poll() is None


def test_the_view_is_served(site: Site, systemd: socket.socket) -> None:
    """While it works the daemon answers probes, and counts its calls to the hub and the tasks that ended."""
    site.port = free_port()
    site.write()
    site.start()
    told(systemd, b"READY=1")
    task = site.hub.make_task("sleep", [0])
    site.until(lambda: site.state(task) == "CLOSED", "the end")
    with requests.Session() as session:
        session.trust_env = False
        address = f"http://127.0.0.1:{site.port}"
        site.until(lambda: session.get(f"{address}/readyz", timeout=60).status_code == 200, "readiness")
        text = session.get(f"{address}/metrics", timeout=60).text
    assert 'koji_adjutant_hub_call_seconds_count{method="host.openTask"} 1.0' in text
    assert 'koji_adjutant_tasks_total{method="sleep",result="closed"} 1.0' in text


def test_force_lock_ends_the_other_daemon(site: Site, systemd: socket.socket) -> None:
    """The one whose name was taken by force ends with 1 and the reason, and frees nothing."""
    first = site.start()
    told(systemd, b"READY=1")
    task = site.hub.make_task("sleep", [600])
    site.until(lambda: site.state(task) == "OPEN", "the start")
    second = site.start("--force-lock")
    code, text = site.ended(first)
    assert code == 1
    assert "another daemon took its name" in text
    assert site.state(task) == "OPEN"
    assert second.poll() is None


def test_sigterm_keeps_tasks(site: Site, systemd: socket.socket) -> None:
    """SIGTERM: exit 0 in less than five seconds, told to systemd, the task stays open, and the next daemon ends it."""
    child = site.start()
    told(systemd, b"READY=1")
    # Longer than the stop may take.
    task = site.hub.make_task("sleep", [8])
    site.until(lambda: site.state(task) == "OPEN", "the start")
    before = time.monotonic()
    child.terminate()
    assert child.wait(PATIENCE) == 0
    assert time.monotonic() - before < 5.0
    told(systemd, b"STOPPING=1")
    assert site.state(task) == "OPEN"
    site.start()
    site.until(lambda: site.state(task) == "CLOSED", "the end")


def test_sighup_reloads(site: Site, systemd: socket.socket) -> None:
    """SIGHUP reads adjutant.yaml again; with `free` in force SIGTERM gives the task back."""
    child = site.start()
    told(systemd, b"READY=1")
    task = site.hub.make_task("sleep", [600])
    site.until(lambda: site.state(task) == "OPEN", "the start")
    site.write("stop: [broken\n")
    child.send_signal(signal.SIGHUP)
    site.until(lambda: "config.not_reloaded" in site.said(child), "the refusal")
    site.write("stop: free\n")
    child.send_signal(signal.SIGHUP)
    site.until(lambda: "config.reloaded" in site.said(child), "the reload")
    child.terminate()
    code, _ = site.ended(child)
    assert code == 0
    assert site.state(task) in {"FREE", "ASSIGNED"}


def test_sigusr1_restarts_when_idle(site: Site, systemd: socket.socket) -> None:
    """SIGUSR1 waits for the running task, then the same process starts anew, as systemd is told, and takes tasks again."""
    child = site.start()
    told(systemd, b"READY=1")
    task = site.hub.make_task("sleep", [2])
    site.until(lambda: site.state(task) == "OPEN", "the start")
    child.send_signal(signal.SIGUSR1)
    told(systemd, b"RELOADING=1")
    assert site.state(task) == "CLOSED"
    told(systemd, b"READY=1")
    assert child.poll() is None
    again = site.hub.make_task("sleep", [0])
    site.until(lambda: site.state(again) == "CLOSED", "the end")


def test_shutdown_task_ends_the_daemon(site: Site, systemd: socket.socket) -> None:
    """A `shutdown` task: exit 0, running tasks go back to the hub (contract 2.13)."""
    child = site.start()
    told(systemd, b"READY=1")
    task = site.hub.make_task("sleep", [600])
    site.until(lambda: site.state(task) == "OPEN", "the start")
    site.hub.make_task("shutdown", [])
    assert child.wait(PATIENCE) == 0
    assert site.state(task) in {"FREE", "ASSIGNED"}
