"""The client's end of the control socket: one connection for each request."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from koji_adjutant.control.protocol import (
    ANSWER_BYTES,
    ControlError,
    Fault,
    ProtocolError,
    Request,
    decode,
    parse_failure,
    read_line,
    request_line,
)

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 300.0
"""How long the daemon may be silent; while it has nothing to say in a stream it sends empty data."""


class NoDaemon(ControlError):
    """Nobody answers at the socket. Exit code 3."""

    exit_code = 3


class NotPermitted(ControlError):
    """The socket, or the daemon behind it, does not let this user. Exit code 4."""

    exit_code = 4


class InfrastructureFailed(ControlError):
    """The daemon could not do it, by no fault of its own. Exit code 75."""

    exit_code = 75


KINDS: dict[Fault, type[ControlError]] = {
    Fault.NOT_PERMITTED: NotPermitted,
    Fault.INFRASTRUCTURE: InfrastructureFailed,
    Fault.AWAY: NoDaemon,
}


class ControlClient:
    """Asks the daemon at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def call(self, command: str, **arguments: Any) -> Any:
        """Return the result of a command.

        Raises:
            NoDaemon, NotPermitted, InfrastructureFailed, ControlError: by whose failing it was not done.
        """
        stream = self.stream(command, **arguments)
        while True:
            try:
                next(stream)
            except StopIteration as end:
                return end.value

    def stream(self, command: str, **arguments: Any) -> Generator[Any, None, Any]:
        """Yield the data of a command as it comes; the generator's value is the result. Raises as `call`."""
        line = request_line(Request(command, {key: value for key, value in arguments.items() if value is not None}))
        with self._connected() as connection, connection.makefile("rb") as stream:
            try:
                with contextlib.suppress(BrokenPipeError):
                    # Who is turned away at the door is told so before he has said anything.
                    connection.sendall(line)
                while True:
                    answer = read_line(stream, ANSWER_BYTES)
                    if answer is None:
                        raise NoDaemon("the daemon closed the connection without an answer", fault=Fault.AWAY)
                    message = decode(answer)
                    if "data" not in message:
                        return _end(message)
                    yield message["data"]
            except (OSError, ProtocolError) as error:
                raise NoDaemon(
                    f"the connection to the daemon at {self.path} broke: {error}", fault=Fault.AWAY
                ) from error

    @contextlib.contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(CONNECT_SECONDS)
            try:
                connection.connect(os.fspath(self.path))
            except OSError as error:
                raise _not_connected(self.path, error) from error
            connection.settimeout(ANSWER_SECONDS)
            yield connection


def _end(message: dict[str, Any]) -> Any:
    if "end" in message:
        return message["end"]
    failure = parse_failure(message.get("error"))
    kind = KINDS.get(failure.fault, ControlError)
    raise kind(failure.brief, details=failure.details, resolution=failure.resolution, fault=failure.fault)


def _not_connected(path: Path, error: OSError) -> ControlError:
    if error.errno in {errno.EACCES, errno.EPERM}:
        return NotPermitted(
            f"{path} is not for this user: {error.strerror}",
            resolution="Ask as root or as the daemon's user; control.group lets others ask for status, tasks and logs.",
            fault=Fault.NOT_PERMITTED,
        )
    return NoDaemon(
        f"no daemon answers at {path}: {error.strerror or error}",
        resolution="Start it (systemctl start koji-adjutant), or name its socket with --socket.",
        fault=Fault.AWAY,
    )
