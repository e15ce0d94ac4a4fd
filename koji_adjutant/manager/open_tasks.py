"""What the hub's list of open tasks means for the tasks that run here (contract 2.9 #5, 2.10): pure decisions."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import koji

STATES = koji.TASK_STATES
OPEN, CANCELED = STATES["OPEN"], STATES["CANCELED"]
ENDED = frozenset({STATES["CLOSED"], STATES["CANCELED"], STATES["FAILED"]})


@dataclass(frozen=True)
class OpenTask:
    """One row of `getHostTasks`."""

    task_id: int
    waiting: bool = False
    weight: float = 1.0
    alert: bool = False

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> OpenTask:
        """Read the hub's row; a waiting parent's `alert` is there only when a child has finished."""
        return cls(
            task_id=int(row["id"]),
            waiting=bool(row.get("waiting")),
            weight=float(row.get("weight") or 0.0),
            alert=bool(row.get("alert")),
        )


@dataclass(frozen=True)
class Comparison:
    """The hub's open tasks against ours."""

    load: float
    """Sum of the weights of ours that do not wait."""
    wake: tuple[int, ...]
    """Parents with a finished child."""
    vanished: tuple[int, ...]
    """Run here, but are not open at the hub for us: ask what became of them."""
    stale: tuple[int, ...]
    """Open at the hub for us, but nothing here runs them: to be given back."""


def compare(rows: Iterable[OpenTask], running: Iterable[int]) -> Comparison:
    """Sort the hub's rows and our task ids into what has to be done."""
    ours = frozenset(running)
    known = {row.task_id: row for row in rows}
    mine = [row for row in known.values() if row.task_id in ours]
    return Comparison(
        load=sum(row.weight for row in mine if not row.waiting),
        wake=tuple(row.task_id for row in mine if row.alert),
        vanished=tuple(sorted(ours - known.keys())),
        stale=tuple(sorted(known.keys() - ours)),
    )


class Fate(enum.StrEnum):
    """What became of a task that is no longer in the hub's list."""

    CANCELED = "canceled"
    REASSIGNED = "reassigned"
    """Freed or given to another host, or to us for another run."""
    ENDED = "ended"
    """Closed or failed: our thread is about to finish."""
    OURS = "ours"
    """Open and ours after all: the list was older than the task."""


def fate_of(info: Mapping[str, Any] | None, host_id: int) -> Fate:
    """Judge `getTaskInfo` of a vanished task. A task the hub does not know cannot be ours."""
    if info is None:
        return Fate.REASSIGNED
    if info["state"] == CANCELED:
        return Fate.CANCELED
    if info["host_id"] != host_id:
        return Fate.REASSIGNED
    if info["state"] in ENDED:
        return Fate.ENDED
    return Fate.OURS if info["state"] == OPEN else Fate.REASSIGNED
