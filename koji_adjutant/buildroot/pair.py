"""The two containers of a build: `task`, whose root the build sees, and `tools`, which fills and reads it from outside.

Made by `create_pair`; safe to repeat, since containers are found again by name and steps by theirs (design sections 5, 6.2).
What a build writes stands on a plain file system below the task's own directory: `/builddir`, `/var/tmp` and kojid's
`chroot_tmpdir`; `/tmp` is fresh memory, as mock makes it.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from koji_adjutant.buildroot.host_files import HostFiles
from koji_adjutant.buildroot.repo_proxy import PROXY_PORT, PROXY_SOCKET
from koji_adjutant.container.interface import (
    ContainerHandle,
    ContainerManager,
    ContainerSpec,
    ContainerState,
    ContainerStatus,
    MountKind,
    Network,
    ResourceLimits,
    VolumeMount,
)
from koji_adjutant.container.step_service import ContainerSteps
from koji_adjutant.container.steps import BIN_DIR, STEPS_DIR
from koji_adjutant.errors import AdjutantError, ContainerLost

BUILDROOT = "/buildroot"
"""Where `tools` sees the root of `task`."""
START_SECONDS = 300.0
"""How long `tools` may take to start before whoever needs it gives up."""
PROXY_DIR = posixpath.dirname(PROXY_SOCKET)
"""Holds the socket of the repository proxy, in `tools` only."""


@dataclass(frozen=True)
class PairRequest:
    """What a pair is made of. `directory` is the task's own on this machine; `name` is unique per task and attempt."""

    name: str
    directory: Path
    static_dir: Path
    root_image: str
    tools_image: str
    labels: Callable[[str], Mapping[str, str]]
    """Labels by role, `task` or `tools`."""
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    """Of `task`."""
    tools_limits: ResourceLimits = field(default_factory=ResourceLimits)
    hostname: str = "mock"
    userns: bool = True
    chroot_tmpdir: str = "/chroot_tmpdir"
    tmp_size: int = 4 << 30
    task_network: Network = Network.NONE
    tools_network: Network = Network.NONE
    relay: bool = False
    """`tools` relays its port `PROXY_PORT` to the daemon's repository proxy, as its only way out."""
    seccomp_profile: str | None = None
    tools_seccomp_profile: str | None = None
    privileged: bool = False
    """`task` has all of the machine's devices and rights (images)."""
    mounts: Sequence[VolumeMount] = ()
    """Further mounts of `task`, which `tools` does not see (runroot)."""


class ContainerPair:
    """A running pair. `tools` starts in the background: nothing needs it before the root is asked something."""

    def __init__(
        self, manager: ContainerManager, task: ContainerHandle, request: PairRequest, *, patience: float
    ) -> None:
        self.task = task
        self.files: HostFiles | None = None
        """What the build writes below `/builddir`, where the daemon sees it as a path."""
        if (builddir := _visible(request.directory / "builddir")) is not None:
            self.files = HostFiles(builddir, "/builddir")
        self._manager = manager
        self._starting: Future[ContainerHandle] = Future()
        threading.Thread(target=self._start_tools, args=(request,), name=f"{request.name}-tools", daemon=True).start()
        steps_dir = _visible(request.directory / "steps")
        # Where steps are read as files, `tools` need not be there to follow them.
        reader = None if steps_dir is not None else self.tools
        self.steps = ContainerSteps(manager, task, reader, host_dir=steps_dir, patience=patience)

    @property
    def tools(self) -> ContainerHandle:
        """The `tools` container, once it runs; raises what kept it from starting."""
        return self._starting.result(START_SECONDS)

    def settle(self) -> None:
        """Wait until `tools` has started or failed to: after this nothing of the pair comes to life any more."""
        wait([self._starting], START_SECONDS)

    def remove(self) -> None:
        """Remove both, `tools` first; safe to repeat."""
        with contextlib.suppress(AdjutantError, TimeoutError):
            self._manager.remove(self.tools)
        self._manager.remove(self.task)

    def _start_tools(self, request: PairRequest) -> None:
        try:
            self._starting.set_result(running(self._manager, _tools_spec(request, self.task)))
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for `tools`
            self._starting.set_exception(error)


def create_pair(manager: ContainerManager, request: PairRequest, *, patience: float = 600.0) -> ContainerPair:
    """Create and start both containers, or find them again and use them as they are.

    Raises:
        ImageError, RuntimeUnavailable: as the manager says.
        ContainerLost: a container of that name ran and has ended; the attempt is over.
    """
    for name, mode in (
        ("steps", 0o700),
        ("builddir", 0o755),
        ("tmp", 0o1777),
        ("chroot_tmpdir", 0o1777),
        ("proxy", 0o755),
    ):
        path = request.directory / name
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(mode)
    return ContainerPair(manager, running(manager, _task_spec(request)), request, patience=patience)


def running(manager: ContainerManager, spec: ContainerSpec) -> ContainerHandle:
    """Create and start a container, or find it again.

    Raises:
        ContainerLost: a container of that name ran and has ended.
    """
    handle = manager.create(spec)
    state: ContainerState = manager.state(handle)
    if state.status is ContainerStatus.EXITED:
        raise ContainerLost(
            f"container {handle.name} has ended (exit code {state.exit_code}, {state.reason or 'no reason given'})",
            reason="exited",
        )
    if state.status is not ContainerStatus.RUNNING:
        manager.start(handle)
    return handle


def _visible(path: Path) -> Path | None:
    # A daemon without root cannot read what the mapped root of a user namespace keeps at mode 0700.
    return path if os.geteuid() == 0 else None


def _task_spec(request: PairRequest) -> ContainerSpec:
    return ContainerSpec(
        name=f"{request.name}-task",
        image=request.root_image,
        command=(f"{BIN_DIR}/adjutant-runner", "pause"),
        labels=dict(request.labels("task")),
        mounts=(
            *_shared_mounts(request, owned=True),
            *_build_mounts(request, "", owned=True),
            VolumeMount("/tmp", kind=MountKind.TMPFS, read_only=False, size_bytes=request.tmp_size, mode=0o1777),  # noqa: S108 - in the container
            # Container engines give 64 MB here, with which tests fail that pass under mock.
            VolumeMount("/dev/shm", kind=MountKind.TMPFS, read_only=False, size_bytes=request.tmp_size, mode=0o1777),  # noqa: S108 - in the container
            *request.mounts,
        ),
        limits=request.limits,
        network=request.task_network,
        hostname=request.hostname,
        userns=request.userns,
        # For the default route through lo that mock gives an offline root; the build's own uid has no capability.
        capabilities=("NET_ADMIN",),
        privileged=request.privileged,
        seccomp_profile=request.seccomp_profile,
    )


def _tools_spec(request: PairRequest, task: ContainerHandle) -> ContainerSpec:
    return ContainerSpec(
        name=f"{request.name}-tools",
        image=request.tools_image,
        command=(f"{BIN_DIR}/adjutant-runner", *_life(request)),
        labels=dict(request.labels("tools")),
        mounts=(
            *_shared_mounts(request, owned=False),
            *_build_mounts(request, BUILDROOT, owned=False),
            VolumeMount(f"{BUILDROOT}/proc", kind=MountKind.PROC, read_only=False),
            VolumeMount(f"{BUILDROOT}/dev", kind=MountKind.DEVICES, read_only=False),
            VolumeMount(PROXY_DIR, str(request.directory / "proxy"), read_only=True),
        ),
        limits=request.tools_limits,
        network=request.tools_network,
        userns=request.userns,
        companion_of=task,
        companion_root=BUILDROOT,
        seccomp_profile=request.tools_seccomp_profile,
    )


def _life(request: PairRequest) -> Sequence[str]:
    # The relay is as good a first process as one that only waits, and needs no start of its own.
    return ("relay", str(PROXY_PORT), PROXY_SOCKET) if request.relay else ("pause",)


def _shared_mounts(request: PairRequest, *, owned: bool) -> Sequence[VolumeMount]:
    return (
        VolumeMount(BIN_DIR, str(request.static_dir)),
        VolumeMount(STEPS_DIR, str(request.directory / "steps"), read_only=False, owned_by_container=owned),
    )


def _build_mounts(request: PairRequest, below: str, *, owned: bool) -> Sequence[VolumeMount]:
    # Given to the container by `task` alone: `tools` starts later, when they belong to the build user already.
    places = (("/builddir", "builddir"), ("/var/tmp", "tmp"), (request.chroot_tmpdir, "chroot_tmpdir"))  # noqa: S108
    return tuple(
        VolumeMount(below + target, str(request.directory / source), read_only=False, owned_by_container=owned)
        for target, source in places
    )
