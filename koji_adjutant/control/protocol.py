"""What goes over the control socket: one JSON object a line, a request up, messages down. Pure but for `read_line`.

Request: `{"control": 1, "command": NAME, "arguments": {...}}`. Answer: any number of `{"data": ...}`, then `{"end": ...}` with
the result, or `{"error": {...}}`. Whoever connects is told apart by the kernel's word about him, never by what he sends.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from koji_adjutant.errors import AdjutantError

VERSION = 1
REQUEST_BYTES = 64 << 10
"""Of one request, at most."""
ANSWER_BYTES = 16 << 20
"""Of one message of an answer, at most."""


class Fault(enum.StrEnum):
    """Whose failing an error is; the client's exit code follows from it."""

    REFUSED = "refused"
    """What is asked for cannot be, and asking again does not help."""
    NOT_PERMITTED = "not-permitted"
    """Others may ask for it."""
    INFRASTRUCTURE = "infrastructure"
    """Hub or runtime failed."""
    AWAY = "away"
    """The daemon stops, or has no place for one more: another try may help."""


@dataclass(frozen=True)
class Request:
    """What a client asks for."""

    command: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """An error on its way to the client, in the three parts of `AdjutantError`."""

    brief: str
    details: str = ""
    resolution: str = ""
    fault: Fault = Fault.REFUSED


class ProtocolError(AdjutantError):
    """What came over the socket is none of ours."""


class ControlError(AdjutantError):
    """A request that is not done; `fault` says whose failing that is."""

    def __init__(self, brief: str, *, details: str = "", resolution: str = "", fault: Fault = Fault.REFUSED) -> None:
        super().__init__(brief, details=details, resolution=resolution)
        self.fault = fault


def encode(message: Mapping[str, Any]) -> bytes:
    """Return one line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Read one line.

    Raises:
        ProtocolError: it is no JSON object.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not a line of JSON: {line[:80]!r}") from error
    if not isinstance(message, dict):
        raise ProtocolError(f"not a JSON object: {line[:80]!r}")
    return message


def request_line(request: Request) -> bytes:
    """Write a request.

    Raises:
        ProtocolError: it is longer than a daemon would read.
    """
    line = encode({"control": VERSION, "command": request.command, "arguments": dict(request.arguments)})
    if len(line) > REQUEST_BYTES:
        raise ProtocolError(
            f"the arguments of `{request.command}` are too long: {len(line)} bytes, {REQUEST_BYTES} at most"
        )
    return line


def parse_request(line: bytes) -> Request:
    """Read a request.

    Raises:
        ProtocolError: it is none, or of another version of this project.
    """
    message = decode(line)
    version, command, arguments = message.get("control"), message.get("command"), message.get("arguments")
    if version != VERSION:
        raise ProtocolError(
            f"the request has version {version!r} of the control protocol, the daemon speaks {VERSION}",
            resolution="Restart the daemon after an upgrade: running builds go on.",
        )
    if not isinstance(command, str) or not isinstance(arguments, dict):
        raise ProtocolError("the request names no command, or has no arguments")
    return Request(command, arguments)


def failure_message(failure: Failure) -> dict[str, Any]:
    """Return the last message of an answer that failed."""
    return {"error": asdict(failure)}


def parse_failure(data: Any) -> ControlError:
    """Return the error that `failure_message` wrote; a fault this version does not know is a refusal."""
    parts = data if isinstance(data, dict) else {}
    fault = str(parts.get("fault", ""))
    return ControlError(
        str(parts.get("brief") or "the daemon refused without a reason"),
        details=str(parts.get("details") or ""),
        resolution=str(parts.get("resolution") or ""),
        fault=Fault(fault) if fault in set(Fault) else Fault.REFUSED,
    )


def read_line(stream: BinaryIO, limit: int) -> bytes | None:
    """Return the next line, None at the end of the stream.

    Raises:
        ProtocolError: it is longer than `limit`, or cut off.
        OSError: the connection broke, or nothing came in its time.
    """
    line = stream.readline(limit + 1)
    if not line:
        return None
    if len(line) > limit:
        raise ProtocolError(f"a line of more than {limit} bytes")
    if not line.endswith(b"\n"):
        raise ProtocolError("the connection was closed in the middle of a line")
    return line
