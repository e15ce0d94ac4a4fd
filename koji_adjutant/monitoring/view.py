"""What can be seen of a running daemon: plain data, and how JSON has it. No HTTP, no daemon: `observe` fills it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from koji_adjutant.buildroot.prepared import PreparedImage
from koji_adjutant.manager.readiness import DiskSpace
from koji_adjutant.monitoring.advice import advice, state_of
from koji_adjutant.tasks.progress import PhaseTime

CHECK_IN_PATIENCE = 180.0
"""Seconds without an answered check-in after which the hub assigns nothing (contract 2.4)."""


@dataclass(frozen=True)
class RunningView:
    """One task that runs here. Times are unix seconds; empty texts: not known, or there is none."""

    task_id: int
    method: str
    since: float
    waiting: bool
    """For children: it uses no container."""
    adopted: bool
    label: str = ""
    phase: str = ""
    phases: tuple[PhaseTime, ...] = ()
    doing: str = ""
    awaited: tuple[int, ...] = ()
    """Ids of the children it waits for."""
    container: str = ""
    """Container or pod."""
    image: str = ""
    digest: str = ""
    prepared: str = ""

    def document(self) -> dict[str, Any]:
        """Return the task as JSON has it; phases as in the history."""
        return {**vars(self), "phases": [(phase.name, phase.began) for phase in self.phases]}


@dataclass(frozen=True)
class MachineView:
    """The machine that builds; None where builds run elsewhere. `cpus` counts processors."""

    load_average: float | None = None
    cpus: int = 0
    free_memory_mb: int | None = None


@dataclass(frozen=True)
class HostView:
    """The host as the hub has it; None before the hub was first asked. `at`: unix time of its answer."""

    enabled: bool | None = None
    capacity: float | None = None
    arches: str = ""
    at: float | None = None


@dataclass(frozen=True)
class RuntimeView:
    """The container runtime's last answer; `problem` is why it cannot be used."""

    kind: str = ""
    version: str = ""
    rootless: bool | None = None
    capabilities: tuple[str, ...] = ()
    problem: str = ""
    images_problem: str = ""
    """Why its images cannot be listed."""


@dataclass(frozen=True)
class DaemonView:
    """One look at the daemon."""

    host: str
    hub: str
    version: str
    ready: bool
    reason: str
    """Why no task is taken; empty when ready."""
    load: float
    check_in_age: float | None
    """Seconds since the hub last answered a check-in; None: it never has."""
    draining: bool
    adopted: bool
    """Adoption has ended, tasks are taken."""
    tasks: tuple[RunningView, ...]
    disks: Sequence[DiskSpace]
    now: float = 0.0
    """The daemon's clock, unix time: a browser's may be wrong."""
    started: float = 0.0
    web: str = ""
    """Address of the hub's pages, without a slash at the end; empty if unknown."""
    check_in_trouble: str = ""
    reasons: tuple[str, ...] = ()
    """Everything that is against taking a task, the first as it is told to the hub."""
    minspace_mb: int = 0
    maxjobs: int = 0
    machine: MachineView = field(default_factory=MachineView)
    hub_host: HostView = field(default_factory=HostView)
    runtime: RuntimeView = field(default_factory=RuntimeView)

    @property
    def healthy(self) -> bool:
        """Whether the daemon does its work: adoption is over and the hub hears of it."""
        return self.adopted and self.check_in_age is not None and self.check_in_age < CHECK_IN_PATIENCE

    def document(self) -> dict[str, Any]:
        """Return the view as JSON has it."""
        state, summary = state_of(self)
        known = {name.name: getattr(self, name.name) for name in dataclasses.fields(self)}
        return {
            **known,
            "healthy": self.healthy,
            "state": state,
            "summary": summary,
            "reasons": [{"reason": reason, "advice": advice(reason)} for reason in self.reasons],
            "tasks": [task.document() for task in self.tasks],
            "disks": [dataclasses.asdict(disk) for disk in self.disks],
            **{name: dataclasses.asdict(known[name]) for name in ("machine", "hub_host", "runtime")},
        }


def image_document(image: PreparedImage) -> dict[str, Any]:
    """Return a prepared image as JSON has it."""
    known = ("reference", "size_bytes", "created_at", "last_used_at", "hits", "tag", "repo_id")
    return {name: getattr(image, name) for name in known}
