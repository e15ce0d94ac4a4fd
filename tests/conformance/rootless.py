"""A Podman service of an unprivileged user, with a store of its own, for a test run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.distro.cache import cache_dir, locked
from tests.support.podman_host import HostError

USER = "adjutant-test"
IDS = "20000000:400000"
"""Six user namespaces of 65536 ids at a time."""
PROGRAMS = ("podman", "setpriv", "newuidmap", "useradd")
START_TIMEOUT = 180.0
STOP_TIMEOUT = 60.0


def why_not() -> str:
    """Why no such service can run here; empty if one can."""
    if os.geteuid() != 0:
        return "a rootless service beside the test's own user needs root to make that user"
    missing = [program for program in PROGRAMS if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")]
    return f"not installed: {', '.join(missing)}" if missing else ""


class RootlessPodman:
    """`podman system service` of `USER`. Containers, images and files are gone at the end."""

    def __init__(self, environ: dict[str, str]) -> None:
        if why := why_not():
            raise HostError(why)
        self.account = _make_user()
        self.directory = Path(tempfile.mkdtemp(prefix="adjutant-rootless-", dir="/var/tmp"))
        self.socket = self.directory / "podman.sock"
        self._environ = {
            "HOME": str(self.directory / "home"),
            "XDG_RUNTIME_DIR": str(self.directory / "run"),
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf"),
            **{name: str(shutil.copy(path, self.directory)) for name, path in environ.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def podman(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run a podman command as the user, return its output."""
        command = [*self._as_user(), "podman", *arguments]
        # Podman enters the directory it was called in, which may be closed to this user (a clone below /root).
        done = subprocess.run(command, input=stdin, capture_output=True, env=self._environ, check=False, cwd="/")
        if done.returncode:
            raise HostError(f"rootless podman {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def __enter__(self) -> Self:
        try:
            self._lay_out()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        for how in (signal.SIGTERM, signal.SIGKILL):
            self._signal_all(how)
            deadline = time.monotonic() + STOP_TIMEOUT
            while self._processes() and time.monotonic() < deadline:
                if self._process is not None:
                    self._process.poll()
                time.sleep(0.05)
        if self._process is not None:
            self._process.wait(STOP_TIMEOUT)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _lay_out(self) -> None:
        store = f'[storage]\ndriver = "overlay"\nrunroot = "{self.directory}/run/storage"\n'
        (self.directory / "storage.conf").write_text(f'{store}graphroot = "{self.directory}/home/storage"\n')
        self.directory.chmod(0o755)
        for directory in (self.directory, self.directory / "home", self.directory / "run"):
            directory.mkdir(exist_ok=True)
            os.chown(directory, self.account.pw_uid, self.account.pw_gid)

    def _start(self) -> None:
        command = [*self._as_user(), "podman", "system", "service", "--time=0", f"unix://{self.socket}"]
        with (self.directory / "service.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environ, cwd="/"
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self.socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.directory / "service.log").read_text(errors="replace").strip()
                raise HostError(f"the rootless podman service does not start: {said[-500:]}")
            time.sleep(0.05)

    def _as_user(self) -> list[str]:
        return ["setpriv", f"--reuid={self.account.pw_uid}", f"--regid={self.account.pw_gid}", "--clear-groups"]

    def _signal_all(self, how: signal.Signals) -> None:
        for pid in self._processes():
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                continue

    def _processes(self) -> list[int]:
        """Processes of this service: its home is in their environment (conmon and the pause process among them)."""
        wanted = f"HOME={self.directory}/home".encode()
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _has(entry, wanted)]


def _has(process: Path, variable: bytes) -> bool:
    try:
        return variable in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _make_user() -> pwd.struct_passwd:
    with locked(cache_dir() / "rootless.lock"):
        try:
            pwd.getpwnam(USER)
        except KeyError:
            command = [
                "useradd",
                "--system",
                "--no-create-home",
                "--home-dir=/nonexistent",
                "--shell=/usr/sbin/nologin",
            ]
            path = f"{os.environ['PATH']}:/usr/sbin"
            subprocess.run([*command, USER], check=True, capture_output=True, env={"PATH": path})
        for path_of in (Path("/etc/subuid"), Path("/etc/subgid")):
            lines = path_of.read_text().splitlines() if path_of.exists() else []
            if not any(line.startswith(f"{USER}:") for line in lines):
                path_of.write_text("\n".join([*lines, f"{USER}:{IDS}", ""]))
        return pwd.getpwnam(USER)
