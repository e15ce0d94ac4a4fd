"""Puts one host's manager together out of a session, a runtime and settings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from koji_adjutant.container.interface import ContainerManager
from koji_adjutant.hub.identity import HostIdentity
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.manager import readiness
from koji_adjutant.manager.adopter import Adopter
from koji_adjutant.manager.cancel import Canceller
from koji_adjutant.manager.check_in import CALL_TIMEOUT, CheckIn
from koji_adjutant.manager.clock import Clock, SystemClock
from koji_adjutant.manager.drain import DRAIN_FILE, DrainSwitch
from koji_adjutant.manager.history import FILE, TaskHistory
from koji_adjutant.manager.host_manager import HostManager
from koji_adjutant.manager.observer import Observer
from koji_adjutant.manager.pacing import Pace
from koji_adjutant.manager.parts import Parts
from koji_adjutant.manager.readiness import Limits, Machine
from koji_adjutant.manager.running import TaskTable
from koji_adjutant.manager.starter import Settings, TaskStarter
from koji_adjutant.manager.sweeper import Sweeper
from koji_adjutant.manager.task_containers import TaskContainers
from koji_adjutant.manager.task_directory import TaskDirectories
from koji_adjutant.manager.task_thread import ThreadServices
from koji_adjutant.manager.verdicts import Verdicts
from koji_adjutant.tasks.base import HandlerTable

if TYPE_CHECKING:
    from koji_adjutant.tasks.shared import SharedServices


@dataclass(frozen=True)
class Supplies:
    """What a manager is made of. `settings` is read anew at each use, so that a reload takes effect.

    `disk_paths`: file systems that need `minspace`, beside the runtime's storage. `local`: builds run on this
    machine, so its load counts.
    """

    session: AdjutantSession
    identity: HostIdentity
    settings: Callable[[], Settings]
    handlers: HandlerTable
    runtime: ContainerManager
    shared: SharedServices
    disk_paths: tuple[Path, ...]
    local: bool = True
    clock: Clock = field(default_factory=SystemClock)
    observe: Callable[[], Machine] | None = None
    on_adopted: Callable[[], None] = lambda: None
    on_check_in: Callable[[], None] = lambda: None
    on_pass: Callable[[], None] = lambda: None


def assemble(supplies: Supplies) -> tuple[HostManager, Parts]:
    """Return the manager, ready to run, and its parts for `stopping.stop`. Opens the sessions of check-in and sweep."""
    label = supplies.identity.worker_label
    containers = TaskContainers(supplies.runtime, label)
    directories = TaskDirectories(Path(supplies.settings().config.state_dir), label)
    fatal, wake, table = _Fatal(), threading.Event(), TaskTable()
    history = TaskHistory(directories.root.with_name(FILE))
    services = ThreadServices(containers, directories, Verdicts(supplies.identity.host_id), history, wake.set)
    starter = TaskStarter(
        identity=supplies.identity,
        session=supplies.session,
        settings=supplies.settings,
        handlers=supplies.handlers,
        runtime=supplies.runtime,
        shared=supplies.shared,
        directories=directories,
        services=services,
        table=table,
    )
    observer = Observer(supplies.runtime, supplies.disk_paths, supplies.clock, local=supplies.local)
    parts = Parts(
        session=supplies.session,
        clock=supplies.clock,
        wake=wake,
        table=table,
        starter=starter,
        adopter=Adopter(starter, containers, supplies.clock),
        containers=containers,
        canceller=Canceller(containers, supplies.clock),
        check_in=_check_in(supplies, fatal),
        sweeper=_sweeper(supplies, fatal, starter, containers, observer),
        drain=DrainSwitch(directories.root.parent / DRAIN_FILE),
        observe=supplies.observe or observer.observe,
        machine=supplies.observe or observer.machine,
        pace=lambda: _pace(supplies.settings()),
        limits=_limits(supplies),
        history=history,
        health=lambda: observer.health,
        on_adopted=supplies.on_adopted,
    )
    manager = HostManager(parts)
    fatal.report = manager.report_fatal
    return manager, parts


def _limits(supplies: Supplies) -> Limits:
    settings = supplies.settings()
    return Limits(settings.options.maxjobs, settings.options.minspace, (settings.config.min_memory or 0) >> 20)


def _check_in(supplies: Supplies, fatal: _Fatal) -> CheckIn:
    return CheckIn(
        session=_check_in_session(supplies.session),
        clock=supplies.clock,
        interval=lambda: float(supplies.settings().config.poll.check_in),
        host_data={"methods": sorted(supplies.handlers), "maxjobs": supplies.settings().options.maxjobs},
        on_fatal=fatal,
        on_answer=supplies.on_check_in,
        on_pass=supplies.on_pass,
    )


def _sweeper(
    supplies: Supplies, fatal: _Fatal, starter: TaskStarter, containers: TaskContainers, observer: Observer
) -> Sweeper:
    minspace = supplies.settings().options.minspace

    def disk_short() -> bool:
        return readiness.disk_short(observer.machine(), minspace)

    return Sweeper(
        host_id=supplies.identity.host_id,
        session=supplies.session.subsession(threading.Event()),
        containers=containers,
        directories=starter.directories,
        table=starter.table,
        clock=supplies.clock,
        interval=lambda: float(supplies.settings().config.sweep.interval),
        min_age=lambda: float(supplies.settings().config.sweep.min_age),
        disk_short=disk_short,
        make_room=lambda: supplies.shared.package_cache.make_room(minspace << 20),
        on_fatal=fatal,
    )


def _check_in_session(session: AdjutantSession) -> AdjutantSession:
    """Return a session that waits for nothing: the check-in thread does its own pacing, offline hub included."""
    made = session.subsession(threading.Event(), timeout=CALL_TIMEOUT, max_retries=0)
    made.opts = {**made.opts, "offline_retry": False}
    return made


class _Fatal:
    """Hands an error of another thread to the manager, which is made after those who report."""

    def __init__(self) -> None:
        self.report: Callable[[BaseException], None] | None = None

    def __call__(self, error: BaseException) -> None:
        if self.report is not None:
            self.report(error)


def _pace(settings: Settings) -> Pace:
    poll = settings.config.poll
    return Pace(float(poll.host_tasks), float(poll.tasks_min), float(settings.options.sleeptime))
