"""Which leftovers may go (design section 8): one pure decision from what exists, what is ours and what the hub says.

What exists was listed before the hub was asked, and both before our own table was read: so a task that started meanwhile
is in the table, and one that ended meanwhile is at worst swept a round later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from koji_adjutant.manager.task_containers import FoundContainer


@dataclass(frozen=True)
class SweepDirectory:
    """A task directory; `kept_until` is set for a failed root that is to be spared."""

    task_id: int
    modified_at: float
    kept_until: float | None = None


@dataclass(frozen=True)
class Buildroot:
    """A buildroot of this host that the hub does not hold for expired."""

    id: int
    task_id: int | None


@dataclass(frozen=True)
class SweepView:
    """What was seen. Times are unix seconds."""

    now: float
    containers: tuple[FoundContainer, ...]
    directories: tuple[SweepDirectory, ...]
    buildroots: tuple[Buildroot, ...]
    open_at_hub: frozenset[int]
    running: Mapping[int, float]
    """`start_ts` of each task that runs here."""
    disk_short: bool = False


@dataclass(frozen=True)
class SweepPlan:
    """What to remove, and which buildroots to expire."""

    containers: tuple[FoundContainer, ...]
    directories: tuple[int, ...]
    expire: tuple[int, ...]
    dropped: int | None = None
    """The task whose kept root goes before its time, to make room."""


def plan_sweep(view: SweepView, min_age: float) -> SweepPlan:
    """Decide. Only what is older than `min_age` seconds goes; when the disk is short the oldest kept root goes as well."""
    kept, dropped = kept_tasks(view)
    return SweepPlan(
        containers=tuple(c for c in view.containers if _removable(c, view, kept, min_age)),
        directories=tuple(d.task_id for d in view.directories if _stale(d, view, kept, min_age)),
        expire=tuple(b.id for b in view.buildroots if b.task_id is None or b.task_id not in view.running),
        dropped=dropped,
    )


def kept_tasks(view: SweepView) -> tuple[frozenset[int], int | None]:
    """Return the failed tasks whose roots are still to be kept, and the oldest one, which is not, when the disk is short."""
    kept = {d.task_id: d.modified_at for d in view.directories if (d.kept_until or 0.0) > view.now}
    if not (view.disk_short and kept):
        return frozenset(kept), None
    oldest = min(kept, key=lambda task: (kept[task], task))
    return frozenset(kept) - {oldest}, oldest


def _removable(container: FoundContainer, view: SweepView, kept: Collection[int], min_age: float) -> bool:
    if view.now - container.created_at < min_age or (container.keep_until or 0.0) > view.now:
        return False
    task = container.task_id
    if task is None:
        return True
    if task in view.running:
        return container.start_ts != view.running[task]
    return task not in view.open_at_hub and task not in kept


def _stale(directory: SweepDirectory, view: SweepView, kept: Collection[int], min_age: float) -> bool:
    task = directory.task_id
    live = task in view.running or task in view.open_at_hub or task in kept
    dropped = directory.kept_until is not None and not live
    return dropped or (not live and view.now - directory.modified_at >= min_age)


def buildroots_of(rows: Iterable[Mapping[str, object]]) -> tuple[Buildroot, ...]:
    """Read the rows of `listBuildroots`."""
    return tuple(
        Buildroot(int(str(row["id"])), None if row.get("task_id") is None else int(str(row["task_id"]))) for row in rows
    )
