"""The sweep's thread: looks, asks the hub, removes (design section 8). Nothing is done while the hub is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.manager.adopter import EXPIRED, LIVE_BUILDROOTS
from koji_adjutant.manager.clock import Clock
from koji_adjutant.manager.loop_errors import Reaction, rule_for
from koji_adjutant.manager.running import TaskTable
from koji_adjutant.manager.sweep import SweepDirectory, SweepPlan, SweepView, buildroots_of, plan_sweep
from koji_adjutant.manager.task_containers import TaskContainers
from koji_adjutant.manager.task_directory import TaskDirectories
from koji_adjutant.metrics import ORPHANS_REMOVED

log = structlog.get_logger(__name__)

HASTE = 30.0
"""Seconds between two sweeps that a short disk asks for."""


@dataclass
class Sweeper:
    """Sweeps on a clock, in a thread and session of its own; started when adoption has ended."""

    host_id: int
    session: AdjutantSession
    containers: TaskContainers
    directories: TaskDirectories
    table: TaskTable
    clock: Clock
    interval: Callable[[], float]
    min_age: Callable[[], float]
    disk_short: Callable[[], bool]
    make_room: Callable[[], int]
    """Gives up what is only kept for speed; returns the bytes."""
    on_fatal: Callable[[BaseException], None]
    wanted: threading.Event = field(default_factory=threading.Event)
    """Ends the pause before the next sweep."""
    _halt: threading.Event = field(default_factory=threading.Event)
    _hastened_at: float | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name="sweep", daemon=True).start()

    def halt(self) -> None:
        """End the thread at its next wait; a hub call ends at once."""
        self._halt.set()
        self.wanted.set()
        self.session.interrupt.set()

    def hasten(self) -> None:
        """Sweep now, since the disk is short; not more often than every `HASTE` seconds. Called by the main loop."""
        now = self.clock.monotonic()
        if self._hastened_at is None or now - self._hastened_at >= HASTE:
            self._hastened_at = now
            self.wanted.set()

    def sweep(self) -> None:
        """Sweep once. When the disk is short caches go first, then kept roots, the oldest first, until there is room.

        Raises what hub or runtime raise; nothing is removed then.
        """
        if self.disk_short() and (freed := self.make_room()):
            log.warning("sweep.caches_dropped", bytes=freed, reason="the disk is short")
        dropped: set[int | None] = {None}
        while (task := self._sweep_once().dropped) not in dropped:
            log.warning("sweep.kept_root_dropped", task_id=task, reason="the disk is short")
            dropped.add(task)

    def _sweep_once(self) -> SweepPlan:
        plan = plan_sweep(self._look(), self.min_age())
        self.containers.remove(plan.containers)
        ORPHANS_REMOVED.inc(len(plan.containers))
        for task_id in plan.directories:
            self.directories.remove(task_id)
        for buildroot_id in plan.expire:
            log.info("buildroot.expired", buildroot_id=buildroot_id)
            self.session.host.setBuildRootState(buildroot_id, EXPIRED)
        if plan.containers or plan.directories or plan.expire:
            log.info("sweep.ended", containers=len(plan.containers), directories=len(plan.directories))
        return plan

    def _look(self) -> SweepView:
        containers = tuple(self.containers.all())
        directories = tuple(
            SweepDirectory(found.task_id, found.modified_at, found.kept_until) for found in self.directories.find()
        )
        open_rows: list[dict[str, Any]] = self.session.host.getHostTasks()
        buildroots = self.session.listBuildroots(hostID=self.host_id, state=LIVE_BUILDROOTS)
        return SweepView(
            now=self.clock.time(),
            containers=containers,
            directories=directories,
            buildroots=buildroots_of(buildroots),
            open_at_hub=frozenset(int(row["id"]) for row in open_rows),
            running=self.table.runs(),
            disk_short=self.disk_short(),
        )

    def _run(self) -> None:
        while not self._halt.is_set():
            try:
                self.sweep()
            except BaseException as error:  # noqa: BLE001 - top of the thread: it reports
                rule = rule_for(error)
                if self._halt.is_set():
                    return
                log.warning("sweep.failed", error=str(error), kind=type(error).__name__)
                if rule.reaction is Reaction.ABANDON:
                    self.on_fatal(error)
                    return
            self.clock.wait(self.wanted, self.interval())
            self.wanted.clear()
