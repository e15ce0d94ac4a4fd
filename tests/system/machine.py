"""A machine: a container whose PID 1 is systemd, with a Podman of its own inside. The hub and the tests stay outside."""

from __future__ import annotations

import secrets
import subprocess
import time
from pathlib import Path
from typing import Self

LABEL = "io.koji.adjutant.test-machine"
STORAGE = """[storage]
driver = "overlay"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
"""
BOOT_SECONDS = 60.0
COMMAND_SECONDS = 120


class MachineError(AssertionError):
    """A command inside failed, or the machine does not start; with what was said."""


class Machine:
    """Use as a context manager. `shared` is at the same path inside and outside."""

    def __init__(self, image: str, shared: Path) -> None:
        self.image, self.shared = image, shared
        self.name = f"adjutant-machine-{secrets.token_hex(4)}"
        self.podman_socket = shared / "podman/podman.sock"
        """The socket of the Podman inside, from outside too."""

    def __enter__(self) -> Self:
        """Boot."""
        self.podman_socket.parent.mkdir()
        volumes = [
            f"{self.shared}:{self.shared}",
            f"{self.podman_socket.parent}:/run/podman",
            "/var/lib/containers",
        ]
        _podman(
            "run", "--detach", f"--name={self.name}", f"--label={LABEL}", "--hostname=builder.test", "--network=host",
            # It makes user namespaces, mounts and control groups for its own containers. Podman's own mode for systemd would
            # show it the whole host's hierarchy on control groups of version 1.
            "--privileged", "--systemd=false", "--cgroupns=private", "--pids-limit=-1",
            *(f"--tmpfs={path}" for path in ("/run", "/run/lock", "/tmp")),
            *(f"--volume={volume}" for volume in volumes), self.image, "/sbin/init",
        )  # fmt: skip
        try:
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it with all that runs inside; its volume goes too."""
        subprocess.run(
            ["podman", "rm", "--force", "--volumes", "--time=0", self.name], check=False, capture_output=True
        )

    def _boot(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while (state := self.said("systemctl", "is-system-running")) not in {"running", "degraded"}:
            if time.monotonic() > deadline:
                raise MachineError(f"the machine does not come up: {state}\n{_podman('logs', '--tail=30', self.name)}")
            time.sleep(0.2)
        self.write("/etc/containers/storage.conf", STORAGE)
        self.write("/etc/subuid", "containers:200000:6553600\n")
        self.write("/etc/subgid", "containers:200000:6553600\n")
        self.run("systemctl", "start", "podman.socket")

    def give(self, image: str) -> None:
        """Copy an image of this machine to the Podman inside: a store that other tests change cannot be shared with it."""
        archive, container = self.shared / "image.tar", f"{self.name}-image"
        try:
            # Its files, not its layers: Podman 4 may not find those as it wrote them, and then refuses to save them.
            _podman("create", f"--name={container}", image, "true")
            _podman("export", f"--output={archive}", container)
            self.run("podman", "import", "--quiet", str(archive), image)
        finally:
            subprocess.run(["podman", "rm", "--force", container], check=False, capture_output=True)
            archive.unlink(missing_ok=True)

    def run(self, *command: str, text: str = "") -> str:
        """Run a command inside and return its output.

        Raises:
            MachineError: it failed, with its words.
        """
        result = self._exec(*command, text=text)
        if result.returncode:
            raise MachineError(f"{' '.join(command)} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
        return result.stdout

    def said(self, *command: str) -> str:
        """Run a command whose exit code does not count, and return its output without the last newline."""
        return self._exec(*command).stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Write a file inside, directories included."""
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1"', "sh", path, text=text)

    def property(self, unit: str, name: str) -> str:
        """One property of a unit, as systemctl shows it."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    def journal(self, unit: str = "koji-adjutant.service", lines: int = 60) -> str:
        """The end of a unit's journal."""
        return self.said("journalctl", "--no-pager", f"--lines={lines}", "--output=cat", f"--unit={unit}")

    def _exec(self, *command: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["podman", "exec", *(["--interactive"] if text else []), self.name, *command],
            input=text or None,
            stdin=None if text else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=COMMAND_SECONDS,
        )


def _podman(*arguments: str) -> str:
    result = subprocess.run(
        ["podman", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
    if result.returncode:
        raise MachineError(f"podman {arguments[0]} ended with {result.returncode}: {result.stderr.strip()}")
    return result.stdout
