"""Whether this host may take one more task, and the sentence that says why not (contract 2.3).

The first check that fails wins, in kojid's order and words; `ready=False` is reported either way. Memory is ours: kojid
never looks at it, and a swapping builder stops answering. So is the runtime: what is taken without one only goes back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LOAD_PER_CPU = 4.0
"""Load average per CPU above which kojid takes nothing."""


@dataclass(frozen=True)
class DiskSpace:
    """Free space of one path, in MB; None: the path cannot be looked at."""

    path: str
    free_mb: int | None


@dataclass(frozen=True)
class Machine:
    """One observation of the machine that builds: of this one with Podman, never of a pod the daemon sits in.

    `load` and `free_memory_mb` are None where they would describe another machine.
    """

    disks: Sequence[DiskSpace] = ()
    load: float | None = None
    cpus: int = 1
    free_memory_mb: int | None = None
    runtime_problem: str = ""
    """Why the container runtime cannot be used just now."""


@dataclass(frozen=True)
class HostState:
    """What the hub says about the host and what the daemon runs."""

    enabled: bool
    capacity: float
    task_load: float
    open_tasks: int
    restart_pending: bool = False
    stopping: bool = False
    drained: str = ""
    """Why an operator wants this host to take nothing; empty: nobody does."""


@dataclass(frozen=True)
class Look:
    """What the main loop judged last, at the unix time `at`. `arches`: as the hub has them, separated by blanks."""

    host: HostState
    machine: Machine
    arches: str
    at: float


@dataclass(frozen=True)
class Limits:
    """kojid.conf's `maxjobs` and `minspace` (MB), and the free memory in MB below which nothing is taken (0: no check)."""

    maxjobs: int = 10
    minspace: int = 8192
    minmemory: int = 0


@dataclass(frozen=True)
class Readiness:
    """The answer; `reason` is empty when ready."""

    ready: bool
    reason: str = ""
    disk_short: bool = False
    """A disk is the reason, or one of them."""


def judge(host: HostState, machine: Machine, limits: Limits) -> Readiness:
    """Return whether a task may be taken, with the first reason against it."""
    reason = next(reasons(host, machine, limits), "")
    return Readiness(ready=not reason, reason=reason, disk_short=disk_short(machine, limits.minspace))


def reasons(host: HostState, machine: Machine, limits: Limits) -> Iterator[str]:
    """Yield every reason against taking a task, in kojid's order."""
    yield from _host_reasons(host, limits)
    yield from _machine_reasons(machine, limits)


def disk_short(machine: Machine, minspace: int) -> bool:
    """Whether a disk that can be looked at has less than `minspace` MB free."""
    return any(disk.free_mb is not None and disk.free_mb < minspace for disk in machine.disks)


def _host_reasons(host: HostState, limits: Limits) -> Iterator[str]:
    if host.stopping:
        yield "Stopping"
    if host.restart_pending:
        yield "Pending restart"
    if host.drained:
        yield host.drained
    if not host.enabled:
        yield "Host is disabled"
    if host.task_load > host.capacity:
        yield "Over capacity"
    if host.open_tasks >= limits.maxjobs:
        yield "Full queue"


def _machine_reasons(machine: Machine, limits: Limits) -> Iterator[str]:
    for disk in machine.disks:
        if disk.free_mb is None:
            yield f"No such directory: {disk.path}"
        elif disk.free_mb < limits.minspace:
            yield f"Insufficient disk space at {disk.path}: {disk.free_mb} MB, {limits.minspace} MB required"
    most = LOAD_PER_CPU * machine.cpus
    if machine.load is not None and machine.load > most:
        yield f"Load average {machine.load:.2f} > {most:.2f}"
    if machine.free_memory_mb is not None and machine.free_memory_mb < limits.minmemory:
        yield f"Insufficient memory: {machine.free_memory_mb} MB, {limits.minmemory} MB required"
    if machine.runtime_problem:
        yield machine.runtime_problem


def observe_machine(paths: Sequence[Path], *, local: bool = True) -> Machine:
    """Look at this machine. `local` False: the builds run elsewhere (a cluster), so only the disks count."""
    disks = tuple(_disk_space(path) for path in paths)
    if not local:
        return Machine(disks=disks)
    return Machine(
        disks=disks,
        load=os.getloadavg()[0],
        cpus=os.sysconf("SC_NPROCESSORS_ONLN"),
        free_memory_mb=_free_memory_mb(Path("/proc/meminfo")),
    )


def _disk_space(path: Path) -> DiskSpace:
    try:
        stat = os.statvfs(path)
    except OSError:
        return DiskSpace(str(path), None)
    if stat.f_files and not stat.f_favail:
        # No inodes: nothing can be written, however many bytes are free.
        return DiskSpace(str(path), 0)
    return DiskSpace(str(path), stat.f_bavail * stat.f_frsize // (1 << 20))


def _free_memory_mb(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) >> 10
    return None
