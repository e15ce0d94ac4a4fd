"""The commands of the control socket: who may give them, what they take, where they are done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from koji_adjutant.control import housekeeping, images, task_commands
from koji_adjutant.control.protocol import ControlError, Fault
from koji_adjutant.control.server import Answer, Call
from koji_adjutant.control.services import Services

log = structlog.get_logger(__name__)


class Arguments(BaseModel):
    """Arguments of one command, as a client sent them: bounded, and nothing else beside them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NoArguments(Arguments):
    """Of commands that take none."""


class LogArguments(Arguments):
    """Of `log`."""

    task: int = Field(ge=0)
    log: str | None = Field(None, max_length=255)
    offset: int = Field(0, ge=0)
    lines: int | None = Field(None, ge=0, le=1_000_000)
    follow: bool = False


class TaskArguments(Arguments):
    """Of commands about one task."""

    task: int = Field(ge=0)


class ShellArguments(TaskArguments):
    """Of `shell`."""

    role: str | None = Field(None, max_length=100)


class DrainArguments(Arguments):
    """Of `drain`."""

    reason: str = Field("", max_length=500)


class SweepArguments(Arguments):
    """Of `sweep`."""

    dry_run: bool = False


class EvictArguments(Arguments):
    """Of `image-evict`."""

    references: list[str] = Field(default_factory=list, max_length=500)
    everything: bool = False


class PrepareArguments(Arguments):
    """Of `image-prepare`."""

    tag: str = Field(min_length=1, max_length=255)
    arch: str | None = Field(None, max_length=50)
    wait: bool = False


@dataclass(frozen=True)
class Command:
    """A row of the table. `privileged`: only for root and the daemon's user."""

    act: Callable[..., Any]
    """Gets services and call, then the arguments by name."""
    arguments: type[Arguments] = NoArguments
    privileged: bool = False


COMMANDS: Mapping[str, Command] = {
    "status": Command(housekeeping.status),
    "tasks": Command(task_commands.tasks),
    "logs": Command(task_commands.logs, TaskArguments),
    "log": Command(task_commands.log, LogArguments),
    "shell": Command(task_commands.shell, ShellArguments, privileged=True),
    "drain": Command(housekeeping.drain, DrainArguments, privileged=True),
    "resume": Command(housekeeping.resume, privileged=True),
    "sweep": Command(housekeeping.sweep, SweepArguments, privileged=True),
    "image-list": Command(images.image_list),
    "image-evict": Command(images.image_evict, EvictArguments, privileged=True),
    "image-prepare": Command(images.image_prepare, PrepareArguments, privileged=True),
    "image-bootstrap": Command(images.image_bootstrap, privileged=True),
}


def answering(services: Services, commands: Mapping[str, Command] = COMMANDS) -> Answer:
    """Return what the server calls for each request."""

    def answer(call: Call) -> Any:
        name, peer = call.request.command, call.peer
        command = commands.get(name)
        if command is None:
            raise ControlError(
                f"the daemon has no command `{name}`",
                resolution="Restart the daemon after an upgrade: running builds go on.",
            )
        if command.privileged and not peer.privileged:
            log.warning("control.refused", command=name, uid=peer.uid, pid=peer.pid)
            raise ControlError(
                f"`{name}` is for root and the daemon's user only, not for {peer.name}", fault=Fault.NOT_PERMITTED
            )
        arguments = _checked(command.arguments, name, call.request.arguments)
        if command.privileged:
            log.info("control.asked", command=name, user=peer.name, uid=peer.uid, pid=peer.pid, **arguments)
        return command.act(services, call, **arguments)

    return answer


def _checked(model: type[Arguments], name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(model.model_validate(given))
    except ValidationError as error:
        wrong = [f"{'.'.join(str(part) for part in row['loc'])}: {row['msg']}" for row in error.errors()]
        raise ControlError(f"`{name}` cannot take what it was given: {'; '.join(wrong)}") from error
