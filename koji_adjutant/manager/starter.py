"""Starts tasks in this daemon: journal, session of the thread, context, thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import koji.tasks
import structlog

from koji_adjutant.container.interface import ContainerManager
from koji_adjutant.hub.identity import HostIdentity
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.manager.running import RunningTask, TaskTable
from koji_adjutant.manager.task_directory import TaskDirectories
from koji_adjutant.manager.task_labels import task_label
from koji_adjutant.manager.task_thread import ThreadServices, start_thread
from koji_adjutant.tasks.base import HandlerTable, ThreadedTask
from koji_adjutant.tasks.context import Interruption, TaskContext
from koji_adjutant.tasks.journal import Journal

if TYPE_CHECKING:
    from koji_adjutant.config.kojid_options import KojidOptions
    from koji_adjutant.config.model import AdjutantConfig
    from koji_adjutant.tasks.shared import SharedServices

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Settings:
    """The settings of the daemon, as tasks get them."""

    options: KojidOptions
    config: AdjutantConfig


@dataclass
class TaskStarter:
    """Makes contexts and threads. Used by the main loop only, with the main loop's session."""

    identity: HostIdentity
    session: AdjutantSession
    settings: Callable[[], Settings]
    handlers: HandlerTable
    runtime: ContainerManager
    shared: SharedServices
    directories: TaskDirectories
    services: ThreadServices
    table: TaskTable

    def handler(self, task_id: int, method: str, request: Any) -> koji.tasks.BaseTaskHandler:
        """Construct the handler; raises whatever a bad request makes koji's decoding raise."""
        return self.handlers[method](task_id, method, request, self.session, self.settings().options)

    def start_new(self, handler: koji.tasks.BaseTaskHandler, start_ts: float) -> RunningTask:
        """Start a task that has just been opened.

        Raises:
            JournalError, DiskFull: the state directory cannot be written; the caller gives the task back.
        """
        journal = self.directories.create_journal(handler.id, handler.method, self.identity.host_id, start_ts)
        return self._start(handler, start_ts, journal, adopted=False)

    def start_adopted(self, handler: koji.tasks.BaseTaskHandler, journal: Journal) -> RunningTask:
        """Start a task again from the top under its old journal; it is open at the hub and stays so."""
        return self._start(handler, float(journal.header["start_ts"]), journal, adopted=True)

    def _start(
        self, handler: koji.tasks.BaseTaskHandler, start_ts: float, journal: Journal, *, adopted: bool
    ) -> RunningTask:
        settings = self.settings()
        interruption = Interruption()
        session = self.session.subsession(interruption.event, interrupted=interruption.error)
        context = TaskContext(
            task_id=handler.id,
            method=handler.method,
            start_ts=start_ts,
            identity=self.identity,
            options=settings.options,
            config=settings.config,
            session=session,
            new_session=session.subsession,
            runtime=self.runtime,
            journal=journal,
            directory=self.directories.path(handler.id),
            shared=self.shared,
            adopted=adopted,
            interruption=interruption,
            on_awaited=self.services.wake_loop,
            log=structlog.get_logger("koji_adjutant.tasks").bind(task_id=handler.id, method=handler.method),
            label=task_label(handler),
        )
        handler.session = session
        if isinstance(handler, ThreadedTask):
            handler.bind(context)
        running = RunningTask(context)
        self.table.add(running)
        try:
            start_thread(handler, running, self.services)
        except RuntimeError:
            # No more threads to be had: the table must not hold what nobody runs, the next pass gives the task back.
            running.ended.set()
            journal.close()
            session.close()
            raise
        log.info("task.started", task_id=handler.id, method=handler.method, adopted=adopted)
        return running
