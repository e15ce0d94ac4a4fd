"""A task's two containers with the volume of durable steps between them, for tests of steps on a real runtime."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.container.faulty import FaultyManager
from koji_adjutant.container.interface import LABEL_WORKER, ContainerHandle, ContainerSpec, ResourceLimits, VolumeMount
from koji_adjutant.container.kubernetes_manager import KubernetesManager
from koji_adjutant.container.podman_manager import PodmanManager
from koji_adjutant.container.static_tools import static_directory
from koji_adjutant.container.step_service import ContainerSteps
from koji_adjutant.container.steps import BIN_DIR, STEPS_DIR, StepSpec, StepStatus
from koji_adjutant.errors import ExecError
from tests.conformance import images
from tests.support import cluster
from tests.support.fault_seed import fault_seed

BUSYBOX = f"{BIN_DIR}/busybox"
RUNNER = f"{BIN_DIR}/adjutant-runner"
BUILD_UID = 1000
KUBERNETES = "kubernetes"
KINDS = ("exec", "host", "faulty", *((KUBERNETES,) if cluster.kubeconfig() else ()))
"""How logs are read: through `tools`, directly, or through `tools` over a runtime that fails at times; all with Podman, and
where there is a cluster, through `tools` of a pod."""
RATE = 0.2


class Recorder:
    """A `WriteAt` that insists on its order. Keeps at most `keep` bytes, and the checksum of all."""

    def __init__(self, offset: int = 0, keep: int = 1 << 20) -> None:
        self.size = offset
        self.data = bytearray()
        self.digest = hashlib.sha256()
        self.some = threading.Event()
        self._keep = keep

    def __call__(self, offset: int, data: bytes) -> None:
        assert offset == self.size, "a log is delivered in order, without a hole or a repeated byte"
        assert len(data) <= 1 << 20, "a follower holds at most a MiB of a log"
        self.size += len(data)
        self.digest.update(data)
        self.data += data[: self._keep - len(self.data)]
        self.some.set()


@dataclass(frozen=True)
class Ran:
    """A step that was followed to its end."""

    status: StepStatus
    out: bytes
    err: bytes = b""


@dataclass
class StepRig:
    """A running pair. `inner` never fails; `manager` may, from `seed`."""

    kind: str
    inner: Any
    task: ContainerHandle
    tools: ContainerHandle
    directory: Path
    seed: int = 0
    manager: Any = field(init=False)
    steps: ContainerSteps = field(init=False)

    def __post_init__(self) -> None:
        self.manager = FaultyManager(self.inner, self.seed, RATE) if self.kind == "faulty" else self.inner
        self.steps = self.service()

    def for_test(self, node: pytest.Item) -> StepRig:
        """The same pair with the faults of a test."""
        return replace(self, seed=fault_seed(node))

    def service(self, patience: float = 60.0) -> ContainerSteps:
        """A service as a daemon makes one, without memory of another."""
        host_dir = self.directory if self.kind == "host" else None
        return ContainerSteps(self.manager, self.task, self.tools, host_dir=host_dir, patience=patience)

    def spec(self, script: str, *arguments: str, **options: Any) -> StepSpec:
        """A step of the build's user that runs a shell script."""
        argv = (BUSYBOX, "sh", "-c", script, "sh", *arguments)
        base: dict[str, Any] = {
            "name": f"s-{uuid.uuid4().hex[:12]}",
            "argv": argv,
            "env": {"PATH": BIN_DIR},
            "uid": BUILD_UID,
            "gid": BUILD_UID,
        }
        return StepSpec(**base | options)

    def run(self, script: str, *arguments: str, **options: Any) -> Ran:
        """Start a script and follow it to its end."""
        return self.run_spec(self.spec(script, *arguments, **options))

    def run_spec(self, spec: StepSpec) -> Ran:
        """Start a step and follow it to its end."""
        run_id = self.steps.start(self.task, spec)
        out, err = Recorder(), Recorder()
        status = self.steps.follow(self.task, spec.name, out, write_err=err if spec.separate_stderr else None)
        assert status.run_id == run_id
        return Ran(status, bytes(out.data), bytes(err.data))

    def processes(self) -> list[str]:
        """Command lines of the build's user in `task`."""
        listing = self.inner.exec(self.task, [BUSYBOX, "ps", "-o", "user,args"]).stdout.decode("utf-8", "replace")
        return [line for line in listing.splitlines() if line.split()[:1] == [str(BUILD_UID)]]

    def file(self, step: str, name: str) -> bytes | None:
        """A file of a step as it is now; None: it is not there."""
        if self.kind == KUBERNETES:
            found = self.inner.exec(self.task, [BUSYBOX, "cat", f"{STEPS_DIR}/{step}/{name}"])
            return bytes(found.stdout) if found.exit_code == 0 else None
        path = self.directory / step / name
        return path.read_bytes() if path.exists() else None

    def kill(self, command: str, signal: int) -> None:
        """Send a signal to root's processes in `task` whose command line holds `command`."""
        if self.kind == KUBERNETES:
            # The processes of `tools` are in sight too.
            script = (
                'me=$(readlink /proc/self/ns/mnt); for p in /proc/[0-9]*; do [ "$(readlink $p/ns/mnt)" = "$me" ] && '
                'tr "\\0" " " <$p/cmdline | grep -q "^$1" && kill "-$2" "${p#/proc/}" && echo found; done; true'
            )
            argv = [BUSYBOX, "sh", "-c", script, "sh", f"{BIN_DIR}/{command}", str(signal)]
            found = self.inner.exec(self.task, argv, stdout=None, env={"PATH": BIN_DIR})
            assert b"found" in found.stdout, f"nothing runs {command}"
            return
        listing = self.inner.exec(self.task, [BUSYBOX, "ps", "-o", "pid,args"]).stdout.decode("utf-8", "replace")
        found = [
            line.split()[0] for line in listing.splitlines() if f"/{command}" in line and "podman-init" not in line
        ]
        assert found, f"nothing runs {command}: {listing}"
        try:
            self.inner.exec(self.task, [BUSYBOX, "kill", f"-{signal}", *found])
        except ExecError as error:
            # Whose container dies of the signal may not live to say so.
            if error.reason != "unknown-end":
                raise

    def shell(self, script: str) -> bytes:
        """Output of a short script of root in `task`, not as a step."""
        return self.inner.exec(self.task, [BUSYBOX, "sh", "-c", script], env={"PATH": BIN_DIR}).stdout


@contextmanager
def step_rig(
    socket: Path, image: str, kind: str, *, limits: ResourceLimits | None = None, parent: str = "/var/tmp"
) -> Iterator[StepRig]:
    """A pair of containers on `image`, gone afterwards; the volume of the steps is below `parent`."""
    directory = Path(tempfile.mkdtemp(prefix="adjutant-steps-", dir=parent))
    manager = _cluster_manager(image, directory) if kind == KUBERNETES else PodmanManager(str(socket))
    labels = {LABEL_WORKER: f"steps-{uuid.uuid4().hex}"}
    try:
        task, tools = _pair(manager, image, directory, labels, limits or ResourceLimits())
        yield StepRig(kind, manager, task, tools, directory)
    finally:
        for info in manager.list_managed(labels):
            manager.remove(info.handle)
        manager.close()
        shutil.rmtree(directory, ignore_errors=True)


def _cluster_manager(image: str, directory: Path) -> KubernetesManager:
    static = cluster.runner_image(images.podman)
    cluster.load(images.podman, image, static)
    return cluster.manager(directory.parent, runner_image=static)


def _pair(
    manager: Any, image: str, directory: Path, labels: dict[str, str], limits: ResourceLimits
) -> tuple[ContainerHandle, ContainerHandle]:
    mounts = (
        VolumeMount(BIN_DIR, str(static_directory())),
        VolumeMount(STEPS_DIR, str(directory), read_only=False, owned_by_container=True),
    )
    name = f"adjutant-steps-{uuid.uuid4().hex[:12]}"
    common: dict[str, Any] = {"image": image, "command": (RUNNER, "pause"), "labels": labels, "mounts": mounts}
    companion = ContainerSpec(name=f"{name}-tools", **common)
    task = manager.create(
        ContainerSpec(
            name=f"{name}-task", limits=limits, capabilities=("NET_ADMIN",), companions=(companion,), **common
        )
    )
    manager.start(task)
    tools = manager.create(replace(companion, companion_of=task))
    manager.start(tools)
    return task, tools
