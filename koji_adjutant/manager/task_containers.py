"""The containers of one host identity, found by label only: what exists counts, not what anybody remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from koji_adjutant.container.interface import (
    LABEL_MANAGED,
    LABEL_ROLE,
    LABEL_START_TS,
    LABEL_TASK,
    LABEL_WORKER,
    ContainerHandle,
    ContainerInfo,
    ContainerManager,
)
from koji_adjutant.errors import ContainerError

log = structlog.get_logger(__name__)

LABEL_KEEP_UNTIL = "io.koji.adjutant.keep-until"
"""Unix time until which a sweep spares the container, for containers that are known to be kept when they are made."""


@dataclass(frozen=True)
class FoundContainer:
    """A container of ours. `task_id` and `start_ts` are None where the label is missing or unreadable."""

    handle: ContainerHandle
    task_id: int | None
    start_ts: float | None
    role: str
    created_at: float
    keep_until: float | None = None

    @classmethod
    def from_info(cls, info: ContainerInfo) -> FoundContainer:
        """Read the labels."""
        task = info.labels.get(LABEL_TASK, "")
        return cls(
            handle=info.handle,
            task_id=int(task) if task.isdecimal() else None,
            start_ts=_number(info.labels.get(LABEL_START_TS)),
            role=info.labels.get(LABEL_ROLE, ""),
            created_at=info.created_at,
            keep_until=_number(info.labels.get(LABEL_KEEP_UNTIL)),
        )


class TaskContainers:
    """Lists and removes containers that carry our worker label. Thread-safe as the runtime is."""

    def __init__(self, runtime: ContainerManager, worker_label: str) -> None:
        self._runtime = runtime
        self._labels = {LABEL_MANAGED: "true", LABEL_WORKER: worker_label}

    def all(self) -> list[FoundContainer]:
        """List all of this identity."""
        return [FoundContainer.from_info(info) for info in self._runtime.list_managed(self._labels)]

    def of_run(self, task_id: int, start_ts: float) -> list[FoundContainer]:
        """List those of one run of a task: a later run of the same task has another `start_ts`."""
        infos = self._runtime.list_managed({**self._labels, LABEL_TASK: str(task_id)})
        found = [FoundContainer.from_info(info) for info in infos]
        return [container for container in found if container.start_ts == start_ts]

    def take_over(self) -> None:
        """Keep an earlier daemon of this identity from touching them, where the runtime tells daemons apart."""
        ask: Callable[[], int] | None = getattr(self._runtime, "take_over", None)
        if ask is not None and (count := ask()):
            log.info("container.taken_over", count=count)

    def remove(self, containers: Iterable[FoundContainer]) -> int:
        """Remove each; one that fails is logged and does not stop the others. Return how many are gone."""
        gone = 0
        for container in containers:
            try:
                self._runtime.remove(container.handle)
            except ContainerError as error:
                log.warning(
                    "container.not_removed",
                    container=container.handle.name,
                    task_id=container.task_id,
                    error=str(error),
                )
                continue
            gone += 1
            log.info("container.removed", container=container.handle.name, task_id=container.task_id)
        return gone

    def remove_run(self, task_id: int, start_ts: float) -> bool:
        """Remove what one run of a task left; return whether the runtime then shows nothing of it."""
        try:
            self.remove(self.of_run(task_id, start_ts))
            return not self.of_run(task_id, start_ts)
        except ContainerError as error:
            log.warning("container.list_failed", task_id=task_id, error=str(error))
            return False


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
