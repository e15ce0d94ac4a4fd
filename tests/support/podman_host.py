"""What Podman needs on a machine like a CI runner, and a service of our own on a socket of our own.

On a builder host this is the distribution's business; here systemd may not be PID 1, cgroups may be the hybrid kind that
crun refuses, ulimits may be endless (rpm walks every descriptor), and nobody has given containers a range of user ids.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.distro.cache import cache_dir, locked

SUBIDS = "containers:200000:6553600"
"""A hundred user namespaces of 65536 ids."""
START_TIMEOUT = 180.0
STOP_TIMEOUT = 60.0


class HostError(Exception):
    """Podman cannot be used here; the text says why."""


def containers_conf(*, systemd: bool, unified_cgroups: bool, runc: bool) -> str:
    """Return a containers.conf for such a machine (pure)."""
    engine = [] if systemd else ['cgroup_manager = "cgroupfs"', 'events_logger = "file"']
    if runc and not unified_cgroups:
        engine.append('runtime = "runc"')
    limits = 'default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]'
    return "\n".join(["[containers]", limits, "[engine]", *engine, ""])


def prepare_host() -> None:
    """Name a containers.conf in CONTAINERS_CONF unless somebody has, and give containers user ids. Safe to repeat.

    Raises:
        HostError: no podman.
    """
    if not shutil.which("podman"):
        raise HostError("podman is not installed: `make setup` installs it")
    if "CONTAINERS_CONF" not in os.environ:
        os.environ["CONTAINERS_CONF"] = str(_write_containers_conf())
    if os.geteuid() == 0:
        with locked(cache_dir() / "subids.lock"):
            for path in (Path("/etc/subuid"), Path("/etc/subgid")):
                _give_ids(path)


def _write_containers_conf() -> Path:
    path = cache_dir() / "containers.conf"
    text = containers_conf(
        systemd=Path("/run/systemd/system").is_dir(),
        unified_cgroups=Path("/sys/fs/cgroup/cgroup.controllers").exists(),
        runc=shutil.which("runc") is not None,
    )
    with locked(cache_dir() / "containers.conf.lock"):
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    return path


def _give_ids(path: Path) -> None:
    text = path.read_text() if path.exists() else ""
    if not any(line.startswith("containers:") for line in text.splitlines()):
        path.write_text(f"{text.rstrip()}\n{SUBIDS}\n".lstrip())


class PodmanService:
    """`podman system service` on a socket in a directory of its own; containers outlive it. Use as a context manager."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="adjutant-podman-"))
        self.socket = self.directory / "podman.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address as podman-py and CONTAINER_HOST take it."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Process id of the running service."""
        if self._process is None:
            raise HostError("the podman service is not running")
        return self._process.pid

    def start(self) -> None:
        """Start it and return when it answers.

        Raises:
            HostError: it ended or does not answer, with what it said.
        """
        self.socket.unlink(missing_ok=True)
        command = ["podman", "system", "service", "--time=0", self.url]
        if shutil.which("setpriv"):
            # A test run that is killed must not leave a service behind.
            command = ["setpriv", "--pdeathsig", "TERM", *command]
        # In a directory of its own: conmon writes a file `oom` where it stands when a container runs out of memory.
        with (self.directory / "service.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.directory / "service.log").read_text(errors="replace").strip()
                self.stop()
                raise HostError(f"the podman service does not start: {said[-500:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(30)
                client.connect(str(self.socket))
                client.sendall(b"GET /_ping HTTP/1.0\r\nHost: d\r\n\r\n")
                return b" 200 " in client.recv(64)
        except OSError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the service, by its process id; one that does not go is killed. Safe to repeat."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT)

    def __enter__(self) -> Self:
        """Start; a service that does not leaves nothing behind."""
        try:
            self.start()
        except HostError:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        """End it and remove its directory."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
