"""What it means that no status of a step will come: pure, from what was seen to the error that says it."""

from __future__ import annotations

from koji_adjutant.container.interface import ContainerHandle, ContainerState, ContainerStatus
from koji_adjutant.container.step_frame import MemoryRecord
from koji_adjutant.errors import ContainerError, ContainerLost, OutOfMemory

_REASONS = {"evicted": "evicted", "nodelost": "node-lost", "node-lost": "node-lost", "deleted": "deleted"}


def is_dead(state: ContainerState) -> bool:
    """Whether a container in this state can run nothing any more."""
    return state.status in {ContainerStatus.EXITED, ContainerStatus.MISSING}


def explain_loss(where: ContainerHandle, name: str, state: ContainerState, memory: MemoryRecord) -> ContainerError:
    """The error for a step `name` in `where` that ended without a status."""
    if state.oom_killed or memory.kills:
        return OutOfMemory(
            f"step {name}: the memory limit of container {where.name} was reached",
            details=f"limit {_size(memory.limit)}, peak {_size(memory.peak)}, processes killed: {memory.kills or 'unknown'}",
            resolution="Raise build.memory, or let the package build with fewer jobs.",
        )
    return ContainerLost(
        f"container {where.name} {_what_happened(state)} under step {name}",
        details=f"status {state.status}, exit code {state.exit_code}, the runtime says {state.reason or 'nothing'}",
        reason=_reason(state),
    )


def explain_reader_loss(through: ContainerHandle, name: str, state: ContainerState) -> ContainerError:
    """The error for a step whose files can no longer be read, since the container that reads them is dead."""
    return ContainerLost(
        f"container {through.name}, which reads the log of step {name}, {_what_happened(state)}",
        details=f"status {state.status}, exit code {state.exit_code}, the runtime says {state.reason or 'nothing'}",
        reason=_reason(state),
    )


def _what_happened(state: ContainerState) -> str:
    if state.status is ContainerStatus.MISSING:
        return "was removed"
    return "ended" if state.status is ContainerStatus.EXITED else "lost its step runner"


def _reason(state: ContainerState) -> str:
    fallback = "deleted" if state.status is ContainerStatus.MISSING else "exited"
    return _REASONS.get(state.reason.lower(), fallback)


def _size(number: int) -> str:
    return f"{number} bytes" if number else "unknown"
