"""A small farm for tests: an embedded hub with the test distribution, and the daemon as a process on real Podman."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from xmlrpc.client import Fault

import koji

from koji_adjutant.buildroot.prepared import REPOSITORY
from koji_adjutant.container.interface import LABEL_WORKER
from koji_adjutant.container.podman_manager import PodmanManager
from koji_adjutant.hub.identity import HostIdentity
from koji_adjutant.minihub import MiniHub
from koji_adjutant.minihub.options import HubOptions
from tests.support.free_port import free_port

ROOT = Path(__file__).parents[2]
HOST = "builder"
TAG = "dist-build"
PATIENCE = 240.0
"""Seconds to wait for what must come at some time: two workers share two cores and one disk."""


@dataclass
class Farm:
    """`directory` holds hub, state and logs; containers and prepared images are gone at the end."""

    directory: Path
    repo: Path
    socket: Path
    tools_image: str
    config: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Extra settings of the build tag."""
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        # Where it is paused nobody else gets its port.
        self.hub = MiniHub(self.directory / "hub", options=HubOptions(run_interval=0.2), port=free_port())
        self.hub.start()
        self.hub.add_host(HOST, "x86_64", password="of the builder", capacity=20.0)
        self.hub.add_tag(TAG, "x86_64", extra=dict(self.extra))
        self.hub.add_external_repo("distro", str(self.repo), tag=TAG)
        self.repo_id = self.hub.add_repo(TAG)
        self.runtime = PodmanManager(str(self.socket))
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in self.daemons:
            if daemon.poll() is None:
                daemon.kill()
            daemon.wait()
        for info in self.containers():
            self.runtime.remove(info.handle)
        for used in self.directory.glob("state/prepared/*"):
            self.runtime.remove_image(f"{REPOSITORY}:{used.name}")
        self.runtime.close()
        self.hub.stop()

    def start(self, *command: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start a daemon; its log goes to `daemon-N.log`."""
        program = command or (sys.executable, "-m", "tests.support.idle_machine_daemon")
        arguments = ["-c", str(self.directory / "kojid.conf"), "--fg", "--verbose", "--force-lock"]
        with (self.directory / f"daemon-{len(self.daemons)}.log").open("wb") as log:
            daemon = subprocess.Popen(
                [*program, *arguments],
                cwd=ROOT,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "ADJUTANT_CONFIG": str(self.directory / "adjutant.yaml"),
                    **environ,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.daemons.append(daemon)
        return daemon

    def kill(self) -> None:
        """End the newest daemon as kill -9 does."""
        self.daemons[-1].send_signal(signal.SIGKILL)
        self.daemons[-1].wait()

    def stop(self, how: signal.Signals = signal.SIGTERM, timeout: float = PATIENCE) -> int:
        """Ask the newest daemon to end and return its exit code."""
        self.daemons[-1].send_signal(how)
        return self.daemons[-1].wait(timeout)

    def build_arch(self, srpm: Path, arch: str = "x86_64", *, keep_srpm: bool = True) -> int:
        """Make a buildArch task for this host."""
        path = self.hub.add_upload(srpm.name, srpm.read_bytes())
        return self.hub.make_task("buildArch", [path, TAG, arch, keep_srpm, {"repo_id": self.repo_id}], arch=arch)

    def state(self, task: int) -> str:
        return koji.TASK_STATES[self.hub.call("getTaskInfo", task)["state"]]

    def ended(self, task: int, timeout: float = PATIENCE) -> str:
        """Wait for the end of a task; return its state."""
        ends = {"CLOSED", "FAILED", "CANCELED"}

        def at_end() -> bool:
            assert self.daemons[-1].poll() is None, f"the daemon died; its log ends with:\n{self.log_tail()}"
            return self.state(task) in ends

        self.until(at_end, f"the end of task {task}", timeout)
        return self.state(task)

    def closed(self, task: int, timeout: float = PATIENCE) -> None:
        """Wait for a task that must succeed."""
        state = self.ended(task, timeout)
        assert state == "CLOSED", f"{state}: {self.fault(task)}\n{self.log_tail()}"

    def fault(self, task: int) -> str:
        """What a task failed with, "" if it did not."""
        try:
            self.hub.call("getTaskResult", task)
        except (koji.GenericError, Fault) as error:
            return f"{type(error).__name__} {error}"
        return ""

    def until(self, condition: Callable[[], Any], what: str, timeout: float = PATIENCE) -> None:
        """Wait for something, failing with the daemon's log if it does not come."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come; the daemon's log ends with:\n{self.log_tail()}"
            time.sleep(0.1)

    def result(self, task: int) -> Any:
        """The result of a closed task; raises the fault of a failed one."""
        return self.hub.call("getTaskResult", task)

    def output(self, task: int, name: str) -> bytes:
        """A file of the task at the hub."""
        return (self.output_directory(task) / name).read_bytes()

    def output_directory(self, task: int) -> Path:
        """Where the hub keeps the files of a task."""
        return Path(self.hub.topdir) / "work" / "tasks" / str(task % 10000) / str(task)

    def text(self, task: int, name: str) -> str:
        """A log of the task at the hub as far as it has come; empty while there is none."""
        path = self.output_directory(task) / name
        return path.read_text(errors="replace") if path.exists() else ""

    def buildroots(self, task: int) -> list[dict[str, Any]]:
        """Rows of the task's buildroots, oldest first."""
        rows: list[dict[str, Any]] = self.hub.call("listBuildroots", taskID=task)
        return sorted(rows, key=lambda row: row["id"])

    def prepared(self) -> None:
        """Wait for the prepared image of the repository, which a first build has asked for."""
        self.until(lambda: list(self.directory.glob("state/prepared/*")), "the prepared image")

    def containers(self) -> list[Any]:
        """All containers of this host at this hub."""
        return self.runtime.list_managed({LABEL_WORKER: HostIdentity(1, HOST, self.hub.url, 0.0).worker_label})

    def journal(self, task: int) -> str:
        """The task's journal as it is now; empty when there is none."""
        paths = list(self.directory.glob(f"state/*/tasks/{task}/journal.jsonl"))
        return paths[0].read_text() if paths else ""

    def log_tail(self, size: int = 6000) -> str:
        if not self.daemons:
            return "no daemon was started"
        log = self.directory / f"daemon-{len(self.daemons) - 1}.log"
        return log.read_bytes()[-size:].decode("utf-8", "replace")

    def write_conf(self, **changed: Any) -> None:
        """Write kojid.conf; `changed` replaces options, such as those that name another hub."""
        conf = {
            "server": self.hub.url,
            "topurl": self.hub.topurl,
            "topdir": self.hub.topdir,
            "user": HOST,
            "password": "of the builder",
            "workdir": self.directory / "work",
            "minspace": 1,
            "sleeptime": 1,
            **changed,
        }
        text = "".join(f"{key} = {value}\n" for key, value in conf.items())
        (self.directory / "kojid.conf").write_text(f"[kojid]\n{text}")

    def _write(self) -> None:
        self.write_conf()
        adjutant = {
            "runtime": "podman",
            "state_dir": str(self.directory / "state"),
            "podman": {"socket": f"unix://{self.socket}"},
            "images": {"tools": self.tools_image, "bootstrap": "off"},
            "poll": {"tasks_min": 1, "host_tasks": 1},
            "monitoring": {"listen": "off"},
            **self.config,
        }
        (self.directory / "adjutant.yaml").write_text(json.dumps(adjutant))
