"""Reads a view off one daemon. Nothing here waits for the hub, the runtime or a disk."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from koji_adjutant import __version__
from koji_adjutant.buildroot.prepared import PreparedImage
from koji_adjutant.config.effective import effective
from koji_adjutant.manager.history import TaskRecord
from koji_adjutant.manager.host_manager import HostManager
from koji_adjutant.manager.parts import Parts
from koji_adjutant.manager.readiness import reasons
from koji_adjutant.manager.running import RunningTask
from koji_adjutant.monitoring.problems import Problem, RecentProblems
from koji_adjutant.monitoring.survey import Survey
from koji_adjutant.monitoring.view import DaemonView, HostView, MachineView, RunningView, RuntimeView


class DaemonObserver:
    """Looks at one daemon. Its methods may be called by any thread and change nothing."""

    def __init__(self, manager: HostManager, parts: Parts, problems: RecentProblems | None = None) -> None:
        self._manager = manager
        self._parts = parts
        self._problems = problems
        self._started = time.time()
        self.survey = Survey(parts.machine, self._list_images)

    def view(self) -> DaemonView:
        """Look now."""
        parts, check_in = self._parts, self._parts.check_in
        said_at = check_in.said_at
        identity = parts.starter.identity
        machine = self.survey.machine
        settings = parts.starter.settings()
        return DaemonView(
            host=identity.host_name,
            hub=identity.hub_url,
            version=__version__,
            ready=check_in.said.ready,
            reason=check_in.said.reason,
            load=check_in.load,
            check_in_age=None if said_at is None else parts.clock.monotonic() - said_at,
            draining=self._manager.draining or self._manager.restart_pending,
            adopted=self._manager.adopted,
            tasks=tuple(running_view(task) for task in sorted(parts.table.all(), key=lambda task: task.task_id)),
            disks=tuple(machine.disks),
            now=time.time(),
            started=self._started,
            web=settings.config.monitoring.web_url or pages_of(identity.hub_url),
            check_in_trouble=check_in.trouble,
            reasons=self._reasons(check_in.said.reason),
            minspace_mb=parts.limits.minspace,
            maxjobs=parts.limits.maxjobs,
            machine=MachineView(machine.load, machine.cpus, machine.free_memory_mb),
            hub_host=self._hub_host(),
            runtime=self._runtime(),
        )

    def history(self, count: int, before: float | None = None) -> list[TaskRecord]:
        """Return up to `count` tasks that have ended, the latest first."""
        return self._parts.history.last(count, before)

    def ended(self, task_id: int) -> TaskRecord | None:
        """Return the last run of a task that has ended here."""
        return self._parts.history.of(task_id)

    def images(self) -> Sequence[PreparedImage]:
        """Return the prepared images as they were last seen."""
        return self.survey.images

    def problems(self) -> list[Problem]:
        """Return the last warnings and errors of the daemon, the latest first."""
        return [] if self._problems is None else self._problems.last()

    def configuration(self) -> dict[str, Any]:
        """Return the settings in force, secrets hidden."""
        settings = self._parts.starter.settings()
        return effective(settings.config, settings.options)

    def log_directory(self, task_id: int) -> Path | None:
        """Return where the logs of a running task lie."""
        task = self._parts.table.get(task_id)
        return None if task is None else task.context.directory / "logs"

    def _list_images(self) -> list[PreparedImage]:
        prepared = self._parts.starter.shared.prepared
        return [image for _, image in reversed(prepared.images())] if prepared.enabled else []

    def _reasons(self, said: str) -> tuple[str, ...]:
        look = self._manager.look
        found = [] if look is None else list(reasons(look.host, look.machine, self._parts.limits))
        # What was said may be older, and differ in numbers only.
        known = {_kind(reason) for reason in found}
        return tuple([said, *found] if said and _kind(said) not in known else found)

    def _hub_host(self) -> HostView:
        look = self._manager.look
        if look is None:
            return HostView()
        return HostView(look.host.enabled, look.host.capacity, look.arches, look.at)

    def _runtime(self) -> RuntimeView:
        health, look = self._parts.health(), self._manager.look
        problem = "" if look is None else look.machine.runtime_problem
        if health is None:
            kind = self._parts.starter.settings().config.runtime
            return RuntimeView(kind, problem=problem, images_problem=self.survey.images_problem)
        return RuntimeView(
            kind=health.runtime,
            version=health.version,
            rootless=health.rootless,
            capabilities=tuple(sorted(health.capabilities)),
            problem=problem or " ".join(health.problems),
            images_problem=self.survey.images_problem,
        )


def _kind(reason: str) -> str:
    return re.sub(r"[0-9.]+", "", reason)


def running_view(task: RunningTask) -> RunningView:
    """Return one task as it stands now."""
    context = task.context
    standing = context.progress.look()
    return RunningView(
        task_id=task.task_id,
        method=context.method,
        since=context.start_ts,
        waiting=bool(context.awaited),
        adopted=context.adopted,
        label=context.label,
        phase=standing.phase,
        phases=standing.phases,
        doing=standing.doing,
        awaited=tuple(sorted(context.awaited)),
        container=standing.container,
        image=standing.image,
        digest=standing.digest,
        prepared=standing.prepared,
    )


def pages_of(hub_url: str) -> str:
    """Return where the hub's pages are by custom, empty if its address says nothing of it."""
    parts = urlsplit(hub_url)
    path = parts.path.rstrip("/")
    if parts.scheme not in {"http", "https"} or not parts.hostname or not path.endswith("/kojihub"):
        return ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{path.removesuffix('hub')}"
