"""A farm whose daemon is the service of a machine."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.support.farm import Farm
from tests.system.machine import Machine

UNIT = "koji-adjutant.service"
DROP_IN = "/run/systemd/system/koji-adjutant.service.d/test.conf"


class ServiceFarm(Farm):
    """`start` and `stop` are systemctl's. The hub's directory is shared, what the service keeps is in the machine."""

    def __init__(self, machine: Machine, repo: Path, tools_image: str, ticks: int = 10) -> None:
        directory = machine.shared / f"farm-{secrets.token_hex(4)}"
        directory.mkdir()
        super().__init__(directory, repo, machine.podman_socket, tools_image, extra={"rpm.macro.ticks": str(ticks)})
        self.machine = machine

    def __enter__(self) -> Self:
        """Start the hub and configure the service."""
        super().__enter__()
        self.configure()
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop service and hub."""
        self.machine.said("systemctl", "stop", UNIT)
        self.machine.said("systemctl", "reset-failed", UNIT)
        self.machine.run("rm", "-f", DROP_IN)
        self.machine.run("systemctl", "daemon-reload")
        super().__exit__(*exc)

    def configure(self, *, unit: Mapping[str, str] | None = None, **adjutant: Any) -> None:
        """Write the configuration where the packages have it; `unit` goes into a drop-in, `adjutant` into adjutant.yaml."""
        self.config = adjutant
        self._write()
        for source, target in (("kojid.conf", "/etc/kojid"), ("adjutant.yaml", "/etc/koji-adjutant")):
            self.machine.write(f"{target}/{source}", (self.directory / source).read_text())
        settings = "".join(f"{key}={value}\n" for key, value in (unit or {}).items())
        self.machine.write(DROP_IN, f"[Service]\n{settings}")
        self.machine.run("systemctl", "daemon-reload")

    def systemctl(self, command: str) -> None:
        """Run `systemctl COMMAND koji-adjutant`; a failure comes with the journal."""
        try:
            self.machine.run("systemctl", command, UNIT)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_tail()}") from error

    def property(self, name: str) -> str:
        return self.machine.property(UNIT, name)

    def ended(self, task: int, timeout: float = 120.0) -> str:
        """Wait for the end of a task; return its state."""
        self.until(lambda: self.state(task) in {"CLOSED", "FAILED", "CANCELED"}, f"the end of task {task}", timeout)
        return self.state(task)

    def log_tail(self, size: int = 6000) -> str:
        return self.machine.journal()[-size:]
