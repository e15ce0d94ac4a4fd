"""Carries out the adoption plan at start: adopt first, then clear and free what cannot be adopted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import koji
import structlog

from koji_adjutant.manager.adoption import AdoptionPlan, GivenBack, LeftJournal, LeftOpen, plan_adoption
from koji_adjutant.manager.clock import Clock
from koji_adjutant.manager.open_tasks import Fate, fate_of
from koji_adjutant.manager.starter import TaskStarter
from koji_adjutant.manager.take import REQUEST_ERRORS
from koji_adjutant.manager.task_containers import TaskContainers
from koji_adjutant.manager.task_directory import FoundDirectory

log = structlog.get_logger(__name__)

LIVE_BUILDROOTS = tuple(koji.BR_STATES[state] for state in ("INIT", "WAITING", "BUILDING"))
EXPIRED = koji.BR_STATES["EXPIRED"]


@dataclass
class Adopter:
    """Adopts in the main loop with its session. `adopt` may be repeated after an error: what runs already is left alone."""

    starter: TaskStarter
    containers: TaskContainers
    clock: Clock

    def adopt(self) -> AdoptionPlan:
        """Adopt what can be adopted, clear and free the rest; return what was decided.

        Raises what hub and runtime raise: nothing has been freed then that was not yet decided about.
        """
        self.containers.take_over()
        found_containers = self.containers.all()
        open_tasks = self._left_open()
        found = [
            self.starter.directories.open_journal(directory)
            for directory in self.starter.directories.find()
            if not self.starter.table.get(directory.task_id)
        ]
        plan = plan_adoption(
            self.starter.identity.host_id,
            open_tasks,
            [self._left_journal(directory) for directory in found],
            [c for c in found_containers if c.task_id is None or not self.starter.table.get(c.task_id)],
            self._resumable_methods(),
        )
        failed = self._start({task.task_id: task for task in plan.adopt}, found)
        self._expire_buildroots()
        self.containers.remove(plan.remove_containers)
        self._give_back([*plan.give_back, *failed])
        for task_id in (*plan.remove_directories, *(task.task_id for task in failed)):
            self.starter.directories.remove(task_id)
        log.info("adoption.ended", adopted=[task.task_id for task in plan.adopt], given_back=len(plan.give_back))
        return plan

    def _left_open(self) -> list[LeftOpen]:
        session, host_id = self.starter.session, self.starter.identity.host_id
        left = []
        for row in session.host.getHostTasks():
            if self.starter.table.get(int(row["id"])):
                continue
            info = session.getTaskInfo(int(row["id"]), request=True)
            if info is not None and fate_of(info, host_id) is Fate.OURS:
                left.append(_left_open(info))
        return left

    def _left_journal(self, found: FoundDirectory) -> LeftJournal:
        kept = (found.kept_until or 0.0) > self.clock.time()
        if found.journal is None:
            return LeftJournal(found.task_id, problem=found.problem, kept=kept)
        header = found.journal.header
        return LeftJournal(found.task_id, header.get("host_id"), header.get("start_ts"), kept=kept)

    def _resumable_methods(self) -> frozenset[str]:
        return frozenset(method for method, handler in self.starter.handlers.items() if not handler.Foreground)

    def _start(self, adopt: dict[int, LeftOpen], found: Sequence[FoundDirectory]) -> list[GivenBack]:
        failed = []
        for directory in found:
            task, journal = adopt.get(directory.task_id), directory.journal
            if journal is None:
                continue
            if task is None:
                journal.close()
                continue
            try:
                handler = self.starter.handler(task.task_id, task.method, task.request)
            except REQUEST_ERRORS as error:
                journal.close()
                failed.append(GivenBack(task.task_id, f"its request cannot be read: {error}"))
                continue
            self.starter.start_adopted(handler, journal)
            log.info("task.adopted", task_id=task.task_id, method=task.method)
        return failed

    def _expire_buildroots(self) -> None:
        """Expire what no adopted task holds; children of ours that were removed leave their roots behind."""
        session = self.starter.session
        rows = session.listBuildroots(hostID=self.starter.identity.host_id, state=LIVE_BUILDROOTS)
        running = self.starter.table.ids()
        for row in rows:
            if row["task_id"] not in running:
                log.info("buildroot.expired", buildroot_id=row["id"], task_id=row["task_id"])
                session.host.setBuildRootState(row["id"], EXPIRED)

    def _give_back(self, tasks: Sequence[GivenBack]) -> None:
        for task in tasks:
            log.warning("task.not_adopted", task_id=task.task_id, reason=task.reason)
        if tasks:
            self.starter.session.host.freeTasks([task.task_id for task in tasks])


def _left_open(info: dict[str, Any]) -> LeftOpen:
    return LeftOpen(
        task_id=int(info["id"]),
        method=str(info["method"]),
        host_id=int(info["host_id"]),
        start_ts=float(info["start_ts"] or 0.0),
        request=info.get("request"),
    )
