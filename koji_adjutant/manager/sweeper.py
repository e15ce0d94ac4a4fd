"""The sweep's thread: looks, asks the hub, removes (design section 8). Nothing is done while the hub is away."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from koji_adjutant.errors import ContainerTimeout, DaemonStopping
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.manager.adopter import EXPIRED, LIVE_BUILDROOTS
from koji_adjutant.manager.clock import Clock
from koji_adjutant.manager.loop_errors import Reaction, rule_for
from koji_adjutant.manager.running import TaskTable
from koji_adjutant.manager.sweep import SweepDirectory, SweepPlan, SweepView, buildroots_of, plan_sweep
from koji_adjutant.manager.sweep_report import Leftover, leftovers
from koji_adjutant.manager.task_containers import TaskContainers
from koji_adjutant.manager.task_directory import TaskDirectories
from koji_adjutant.metrics import ORPHANS_REMOVED

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")
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
    """Ends the wait of the thread: for a sweep, or for what somebody asks it to do."""
    _halt: threading.Event = field(default_factory=threading.Event)
    _hastened_at: float | None = None
    _hastened: bool = False
    _asked: queue.SimpleQueue[Callable[[], None]] = field(default_factory=queue.SimpleQueue)

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
            self._hastened = True
            self.wanted.set()

    def do(self, act: Callable[[AdjutantSession], Answer], timeout: float) -> Answer:
        """Have `act` done with the session of this thread, in it, between two sweeps; return what it returns.

        Raises:
            ContainerTimeout: it was not done within `timeout` seconds. If it has not begun by then it never will.
            DaemonStopping: the thread has ended.
            Whatever `act` raises.
        """
        future: Future[Answer] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(act(self.session))
            except BaseException as error:  # noqa: BLE001 - handed to whoever asked
                future.set_exception(error)

        self._asked.put(job)
        self.wanted.set()
        if self._halt.is_set():
            raise DaemonStopping("the daemon stops")
        try:
            return future.result(timeout)
        except TimeoutError as error:
            if not future.cancel() and future.done():
                return future.result()
            raise ContainerTimeout(
                f"the sweep did not answer within {timeout:.0f} s",
                resolution="It waits for the hub or the runtime; the daemon's log says for which.",
            ) from error

    def sweep(self) -> tuple[Leftover, ...]:
        """Sweep once. When the disk is short caches go first, then kept roots, the oldest first, until there is room.

        Return what was to go; what could not be removed is logged. Raises what hub or runtime raise; nothing is removed then.
        """
        if self.disk_short() and (freed := self.make_room()):
            log.warning("sweep.caches_dropped", bytes=freed, reason="the disk is short")
        gone: list[Leftover] = []
        dropped: set[int | None] = {None}
        while (task := self._sweep_once(gone).dropped) not in dropped:
            log.warning("sweep.kept_root_dropped", task_id=task, reason="the disk is short")
            dropped.add(task)
        return tuple(gone)

    def preview(self) -> tuple[Leftover, ...]:
        """Return what the next sweep would remove; when the disk is short, that is its first kept root only."""
        view = self._look()
        return leftovers(plan_sweep(view, self.min_age()), view)

    def _sweep_once(self, gone: list[Leftover]) -> SweepPlan:
        view = self._look()
        plan = plan_sweep(view, self.min_age())
        gone.extend(leftovers(plan, view))
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
            self._pause()

    def _pause(self) -> None:
        """Wait for the time of the next sweep, and do meanwhile what others ask for."""
        until = self.clock.monotonic() + self.interval()
        while (left := until - self.clock.monotonic()) > 0 and not self._halt.is_set():
            self.clock.wait(self.wanted, left)
            self.wanted.clear()
            while not self._asked.empty():
                self._asked.get()()
            if self._hastened:
                self._hastened = False
                return
