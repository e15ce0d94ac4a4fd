"""Commands about the tasks that run here: which, their logs, the way into their roots."""

from __future__ import annotations

import base64
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from koji_adjutant.container.interface import ContainerStatus
from koji_adjutant.control.protocol import ControlError
from koji_adjutant.control.server import Call
from koji_adjutant.control.services import Services
from koji_adjutant.control.task_log import LogReader, default_log, logs_of
from koji_adjutant.hub.names import valid_log_name
from koji_adjutant.manager.task_containers import FoundContainer

LOOK_SECONDS = 0.2
"""Between two looks at a log that is followed."""
SILENT_SECONDS = 15.0
"""After which a client that follows a log is told that we are still there."""


def tasks(services: Services, _call: Call) -> dict[str, Any]:
    """Return the tasks that run here."""
    view = services.look()
    return {"now": services.parts.clock.time(), "tasks": view.document()["tasks"]}


def logs(services: Services, _call: Call, *, task: int) -> dict[str, Any]:
    """Return names and sizes of a task's logs."""
    found = logs_of(_spool(services, task))
    return {"logs": [{"name": name, "size": status.st_size} for name, status in found.items()]}


def log(
    services: Services, call: Call, *, task: int, log: str | None, offset: int, lines: int | None, follow: bool
) -> dict[str, Any]:
    """Send a log from `offset`, or its last `lines`, while it grows if wanted; return where it ended.

    Each piece is `{"log", "offset", "bytes"}`, the bytes in base64; `{"anew": true}` where the log began anew; `{}` while
    there is nothing to tell.

    Raises:
        ControlError: the task is not here, or has no such log.
    """
    directory = _spool(services, task)
    name = log or _chosen(services, call, task, follow=follow)
    if name is None:
        return {"log": None, "offset": 0}
    if not valid_log_name(name):
        raise ControlError(f"not a name of a log: {name!r}")
    if not (follow and _goes_on(services, task)) and name not in logs_of(directory):
        raise _no_log(services, task, name)
    with LogReader(directory / name) as reader:
        sender = _Sender(call, reader, name, offset if lines is None else reader.last_lines(lines))
        while True:
            over = not follow or not _goes_on(services, task)
            sender.send_new()
            if over:
                return {"log": name, "offset": sender.offset}
            call.pause(LOOK_SECONDS)


@dataclass
class _Sender:
    """Sends what a log has got since the last time."""

    call: Call
    reader: LogReader
    name: str
    offset: int
    spoken: float = field(default_factory=time.monotonic)

    def send_new(self) -> None:
        while True:
            at, data = self.reader.read(self.offset)
            if at < self.offset:
                self._send({"log": self.name, "anew": True})
            self.offset = at + len(data)
            if not data:
                break
            self._send({"log": self.name, "offset": at, "bytes": base64.b64encode(data).decode()})
        if time.monotonic() - self.spoken > SILENT_SECONDS:
            self._send({})

    def _send(self, data: dict[str, Any]) -> None:
        self.call.send(data)
        self.spoken = time.monotonic()


def shell(services: Services, _call: Call, *, task: int, role: str | None) -> dict[str, Any]:
    """Return the container of a task that a person wants to look into, running or kept, and how it is reached.

    Raises:
        ControlError: there is none.
        ContainerError: the runtime cannot be asked.
    """
    parts = services.parts
    found = sorted((c for c in parts.containers.all() if c.task_id == task), key=_preference)
    running = [c for c in found if _runs(services, c)]
    fitting = [c for c in running if role in {None, c.role}]
    if not fitting:
        roles = ", ".join(sorted({c.role for c in running})) or "none"
        wanted = f"container `{role}`" if role else "container"
        raise ControlError(
            f"task {task} has no running {wanted} here; running are: {roles}",
            resolution="`koji-adjutant tasks` lists what runs here. Roots of failed tasks are kept for a while.",
        )
    handle = fitting[0].handle
    config = parts.starter.settings().config
    reached = {"podman": lambda: config.podman.socket_url(os.environ, os.geteuid())}.get(handle.runtime)
    if reached is None:
        raise ControlError(f"there is no way into container {handle.name} of runtime `{handle.runtime}` from here")
    return {
        "runtime": handle.runtime,
        "service": reached(),
        "container": handle.name,
        "role": fitting[0].role,
        "roles": sorted({c.role for c in running}),
    }


def _spool(services: Services, task: int) -> Path:
    directory = services.parts.starter.directories.path(task)
    if not directory.is_dir():
        raise ControlError(
            f"task {task} is not here",
            resolution=f"`koji-adjutant tasks` lists what runs here; `koji watch-logs {task}` and `koji download-logs {task}` "
            "ask the hub.",
        )
    return directory / "logs"


def _chosen(services: Services, call: Call, task: int, *, follow: bool) -> str | None:
    """Return the log that is meant when none is named; wait for one if the log is to be followed."""
    directory = _spool(services, task)
    while (name := default_log(logs_of(directory))) is None:
        if not follow:
            raise _no_log(services, task, None)
        if not _goes_on(services, task):
            return None
        call.send({})
        call.pause(1.0)
    return name


def _no_log(services: Services, task: int, name: str | None) -> ControlError:
    names = ", ".join(logs_of(_spool(services, task))) or "none"
    return ControlError(f"task {task} has no {name or 'log'} so far; there are: {names}")


def _goes_on(services: Services, task: int) -> bool:
    """Whether a log of the task may still grow; before adoption has ended nobody knows."""
    running = services.parts.table.get(task)
    return not services.manager.adopted or (running is not None and running.goes_on)


def _runs(services: Services, container: FoundContainer) -> bool:
    return services.parts.starter.runtime.state(container.handle).status is ContainerStatus.RUNNING


def _preference(container: FoundContainer) -> tuple[int, float]:
    """The root first, then containers of other work, then the tools; the newest of each first."""
    rank = 0 if container.role == "task" else 1 if container.role.startswith("work-") else 2
    return rank, -container.created_at
