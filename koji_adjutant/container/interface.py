"""What the rest of the project may ask of a container runtime.

This module holds contracts only. Implementations: `podman_manager`, `kubernetes_manager`, `memory_manager` (unit tests)
and the wrapper `faulty`. `tests/conformance` states every promise below as a named test and runs whole against each.

Rules for every method of every manager:

* Thread-safe: any thread may call, each thread gets its own client below.
* Every wait has a deadline; a deadline that passes is `ContainerTimeout`, never an exit code.
* A runtime that does not answer is `RuntimeUnavailable` (retryable). Nothing is retried here but requests that are safe to
  repeat; the caller decides about the rest.
* Strings given to a container (argv, environment, paths) arrive byte for byte: no shell, no expansion.

Longer than 250 lines: the whole contract of a runtime stands in one place, most of it docstrings.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

LABEL_MANAGED = "io.koji.adjutant.managed"
"""`true` on everything this project makes in a runtime."""
LABEL_WORKER = "io.koji.adjutant.worker"
"""The owner: host name and hub hash (`hub.identity.HostIdentity.worker_label`). A sweep touches only its own worker's."""
LABEL_TASK = "io.koji.adjutant.task"
"""The Koji task id, decimal."""
LABEL_ROLE = "io.koji.adjutant.role"
"""`task`, `tools` or `prepare`."""
LABEL_START_TS = "io.koji.adjutant.start-ts"
"""`start_ts` of the task at the hub (repr of the float): adoption compares it (design section 5)."""
LABEL_TAG = "io.koji.adjutant.tag"
"""Name of the build tag, where the task has one."""
LABEL_METHOD = "io.koji.adjutant.method"
"""The task method."""
LABEL_ARCH = "io.koji.adjutant.arch"
"""Koji's word for the arch of the task; a runtime of many machines chooses one by it."""
LABEL_EPOCH = "io.koji.adjutant.epoch"
"""Owner epoch, raised at each adoption by another daemon (design section 8, replicas)."""


class PullPolicy(enum.StrEnum):
    """When `ensure_image_available` asks the registry."""

    ALWAYS = "always"
    MISSING = "missing"
    NEVER = "never"


class Network(enum.StrEnum):
    """Network of a container. There is no `host`: a build never sees the host's network."""

    NONE = "none"
    """Only `lo`, up."""
    PRIVATE = "private"
    """The runtime's own network, with name resolution."""


class MountKind(enum.StrEnum):
    """What a `VolumeMount` mounts."""

    BIND = "bind"
    """`source` is a path on the machine of the runtime."""
    TMPFS = "tmpfs"
    """Fresh memory file system, `size_bytes` and `mode` count."""
    DEVICES = "devices"
    """A minimal /dev (null, zero, full, random, urandom, tty, fd links) at `target`, for a chroot below it."""
    PROC = "proc"
    """A proc file system of the container's own pid namespace at `target`, for a chroot below it."""


@dataclass(frozen=True)
class VolumeMount:
    """One mount. `selinux_label` is a level (`s0:c1,c2`) or None; runtimes without SELinux ignore it."""

    target: str
    source: str = ""
    kind: MountKind = MountKind.BIND
    read_only: bool = True
    size_bytes: int | None = None
    mode: int = 0o755
    owned_by_container: bool = False
    """Make the top directory (not its contents) belong to the container's root, whatever that is on the host."""
    executable: bool = True
    selinux_label: str | None = None


@dataclass(frozen=True)
class ResourceLimits:
    """Limits of one container; None means the runtime's own default or none.

    `memory_bytes` without a limit is the default with Podman (design section 6.4). `cpus` may be fractional.
    """

    cpus: float | None = None
    memory_bytes: int | None = None
    pids: int | None = 16384
    nofile: int | None = None
    cpu_shares: int | None = None
    """Weight against other containers when processors are scarce; 1024 is what containers have by default."""


@dataclass(frozen=True)
class ContainerSpec:
    """A container that should exist, independent of the runtime.

    `name` identifies it: creating a second one of the same name and labels returns the first (safe to repeat).
    `companion_of` asks for a container on the root file system of another one, which must be running: that root appears at
    `companion_root`, both share one user namespace, and the companion's life ends no later than that of the other.
    """

    name: str
    image: str
    command: Sequence[str] = ()
    """Replaces entry point and command of the image. Empty: the image's own."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to nothing: the image's environment is not inherited by `exec`, see there."""
    labels: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[VolumeMount] = ()
    limits: ResourceLimits = ResourceLimits()
    network: Network = Network.NONE
    hostname: str | None = None
    workdir: str = "/"
    userns: bool = True
    """A user namespace of its own (65536 ids). False only where an operator turned it off."""
    capabilities: Sequence[str] = ()
    """Added to the runtime's default set, without `CAP_` (`NET_ADMIN`). They count inside the user namespace."""
    privileged: bool = False
    """All capabilities and devices of the machine, its live `/dev`, no seccomp: root in it is root on the machine.

    Only without a user namespace (`userns` False). A runtime that has no such containers says `CapabilityMissing`.
    """
    seccomp_profile: str | None = None
    """Path of a seccomp profile on the machine of the runtime; None: the runtime's default."""
    init: bool = True
    """PID 1 reaps and passes signals."""
    companion_of: ContainerHandle | None = None
    companion_root: str = "/buildroot"
    companions: Sequence[ContainerSpec] = ()
    """Companions that `create` may be asked for later, for runtimes where all are made at once (the containers of a pod).

    Each is the later spec itself, but for `companion_of`, which is not known yet. One that was not announced may be refused
    (`CapabilityMissing`); one that is announced and never asked for does no harm. Other runtimes ignore this.
    """


@dataclass(frozen=True)
class ContainerHandle:
    """Names one container of one runtime; plain data, can be written to a journal and read back."""

    id: str
    name: str
    runtime: str
    """`podman`, `kubernetes` or `memory`."""


class ContainerStatus(enum.StrEnum):
    """Where a container stands."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    MISSING = "missing"


@dataclass(frozen=True)
class ContainerState:
    """One observation. `exit_code` only when EXITED; `oom_killed` when the runtime says so."""

    status: ContainerStatus
    exit_code: int | None = None
    oom_killed: bool = False
    reason: str = ""
    """The runtime's own word (`OOMKilled`, `Evicted`, `deleted`...), for logs."""


@dataclass(frozen=True)
class ContainerInfo:
    """A container of ours as listed by the runtime; `created_at` is unix time by the runtime's clock."""

    handle: ContainerHandle
    labels: Mapping[str, str]
    status: ContainerStatus
    created_at: float


@dataclass(frozen=True)
class ContainerRunResult:
    """End of a command that ran to its end. Death by signal N is `128 + N`, as shells say it."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""


@dataclass(frozen=True)
class ImageInfo:
    """An image that is there. `digest` is what identifies its content (`sha256:...`), `arch` in the runtime's words."""

    reference: str
    id: str
    digest: str
    arch: str
    size_bytes: int = 0
    created_at: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RuntimeHealth:
    """Answer of `health_check`. `problems` are sentences for an operator, each with its remedy; empty means usable."""

    runtime: str
    version: str
    rootless: bool
    capabilities: frozenset[str]
    """Of `commit`, `companion`, `isolate`, `userns`."""
    problems: Sequence[str] = ()


@dataclass(frozen=True)
class CopiedFile:
    """One entry of a directory in a container, from `list_files`. Names are bytes of a hostile build: check before use."""

    name: str
    size: int
    is_regular: bool


Write = Callable[[bytes], object]
"""Takes the next bytes of a stream; called in order from one thread."""


class ContainerManager(Protocol):
    """A container runtime. See the module docstring for what holds for all methods."""

    def ensure_image_available(self, image: str, policy: PullPolicy = PullPolicy.MISSING) -> ImageInfo:
        """Make sure `image` is in the runtime's store and of this machine's architecture. Safe to repeat.

        Raises:
            ImageError: missing, pull denied or failed, or of another architecture; names image and arch.
        """

    def create(self, spec: ContainerSpec) -> ContainerHandle:
        """Create without starting. Safe to repeat by `spec.name`.

        Raises:
            ImageError: the image is not in the store (pull it first).
            ContainerError: `reason` `conflict` if a container of that name has other labels.
        """

    def start(self, handle: ContainerHandle, timeout: float = 60.0) -> None:
        """Start and return when it runs. A running one is left as it is; one that ran and ended is `ContainerLost`."""

    def exec(
        self,
        handle: ContainerHandle,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        workdir: str = "/",
        user: str = "0:0",
        stdout: Write | None = None,
        stderr: Write | None = None,
        timeout: float = 60.0,
    ) -> ContainerRunResult:
        """Run a short command to its end: created, started, inspected; never run twice.

        Only for commands that may be repeated by the caller: the stream can break, and then the end is unknown. Real
        work is a durable step (`container.steps`). The environment is `env` over PATH=/usr/sbin:/usr/bin:/sbin:/bin and
        nothing else. Without `stdout`/`stderr` the output is collected, at most 8 MiB in all.

        Raises:
            ExecError: `not-started` (no such program, container not running) or `unknown-end` (stream broke), too much output.
            ContainerNotFound, ContainerTimeout: the command is killed when time is up.
        """

    def copy_to(self, handle: ContainerHandle, source: Path | bytes, target: str, *, mode: int = 0o644) -> None:
        """Put a file (or bytes, or a tree with its modes and symlinks) at the absolute path `target`; parents exist.

        Files belong to the container's root. Overwrites a file. Works on a created container too.
        """

    def copy_from(self, handle: ContainerHandle, source: str, target: BinaryIO, *, max_bytes: int) -> int:
        """Stream one regular file out, return its size. No link is followed, in no component of the path.

        Raises:
            CopyError: `missing`, `not-regular`, `link-outside`, `too-large` (more than `max_bytes`), `broken-stream`.
        """

    def list_files(self, handle: ContainerHandle, directory: str, *, max_entries: int = 100_000) -> list[CopiedFile]:
        """List one directory, not recursively, without following links.

        Raises:
            CopyError: `missing`, or more than `max_entries`.
        """

    def stream_logs(self, handle: ContainerHandle, write: Write, *, max_bytes: int = 1 << 30) -> None:
        """Write what PID 1 has printed so far (stdout and stderr as the runtime keeps them)."""

    def wait(self, handle: ContainerHandle, timeout: float) -> ContainerState:
        """Wait until the container has ended or is missing."""

    def state(self, handle: ContainerHandle) -> ContainerState:
        """Ask the runtime now. A container that is not there is `MISSING`, not an error."""

    def remove(self, handle: ContainerHandle) -> None:
        """Kill and remove at once, with its companions first. One that is gone already is fine. Returns when it is gone."""

    def run(self, spec: ContainerSpec, timeout: float) -> ContainerRunResult:
        """Create, start, wait, collect output (at most 8 MiB), remove; removed on every path."""

    def list_managed(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        """All containers of ours (running or not) that carry all of `labels`."""

    def health_check(self) -> RuntimeHealth:
        """Ask the runtime how it is. Raises RuntimeUnavailable with the remedy when it does not answer within 10 s."""

    def close(self) -> None:
        """Give back connections; containers are left alone."""


class SupportsCommit(Protocol):
    """Snapshots a container as an image, and keeps house over such images."""

    def commit(self, handle: ContainerHandle, reference: str, labels: Mapping[str, str]) -> ImageInfo:
        """Write the container's root as image `reference` (paused meanwhile). Mounts are not in it. Replaces the name."""

    def make_image(self, reference: str, files: Mapping[str, bytes], labels: Mapping[str, str]) -> ImageInfo:
        """Make an image that holds `files` (absolute path to content, mode 0644) and nothing else. Replaces the name."""

    def list_images(self, labels: Mapping[str, str]) -> list[ImageInfo]:
        """Images that carry all of `labels`."""

    def remove_image(self, reference: str) -> bool:
        """Remove an image; False (and nothing done) while a container uses it; True when it is gone or was not there."""


@runtime_checkable
class SupportsSync(Protocol):
    """Brings what a crash of the machine would take from an image to the disk."""

    def sync_image(self, reference: str, pause: Callable[[float], None]) -> bool:
        """Have the files of an image on the disk; False where this process cannot see them.

        `pause` is called after each file with the seconds that it took, and may wait.

        Raises:
            ImageError: `missing`. OSError: a file went away, or cannot be written.
        """


class ImageKeeper(ContainerManager, SupportsCommit, Protocol):
    """A runtime that both runs containers and keeps images made of them."""


class SupportsHostPaths(Protocol):
    """A runtime on this machine, whose bind mounts are paths the daemon sees."""

    def root_path(self, handle: ContainerHandle) -> Path:
        """Where the running container's root file system is mounted on the host."""

    def host_ids(self, handle: ContainerHandle) -> tuple[int, int]:
        """Host uid and gid of the container's root."""


def missing_capabilities(health: RuntimeHealth, wanted: Iterable[str]) -> list[str]:
    """Of `wanted`, what the runtime lacks, sorted."""
    return sorted(set(wanted) - health.capabilities)
