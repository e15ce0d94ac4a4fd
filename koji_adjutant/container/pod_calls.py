"""A command in a pod by `adjutant-runner exec`: its request, and what its end means.

An exec of Kubernetes has no environment, user or working directory, and its argv stands in a URL with at most 128 KiB for an
argument: all of that goes by stdin, in the encoding of a durable step's request (`runner/request.c`). After the request come
exactly `stdin_size` bytes of the command's input. The stream need not, and with `hangup` must not, be half-closed: the runner
ends with its last frame, after which the caller sends nothing more and closes the connection.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from koji_adjutant.container.pod_frames import End, StreamEnd
from koji_adjutant.errors import ContainerTimeout, ExecError

MAX_REQUEST_BYTES = 16 << 20
"""What the runner accepts; the kernel's own limit for argv and environment is smaller."""


@dataclass(frozen=True)
class ExecRequest:
    """What to run. `env` is the whole environment; without PATH in it programs are sought in the usual directories."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    uid: int = 0
    gid: int = 0
    groups: Sequence[int] = ()
    umask: int = 0o022
    timeout: float = 60.0
    """Seconds, counted by the runner from the command's start."""
    stdin_size: int = 0
    hangup: bool = True
    """Kill the command when our stdin ends: the caller is gone. A connection that broke leaves nothing behind."""
    leave: bool = False
    """What the command has detached when it ends by itself lives on; else all of it is killed."""


def encode_exec(request: ExecRequest) -> bytes:
    """The request as NUL-terminated strings. Any byte but NUL passes as it is.

    Raises:
        ExecError: `not-started`: what no command can be given.
    """
    if not request.argv:
        raise _refused("a command", "has no arguments at all")
    settings = [f"{key}={value}" for key, value in _settings(request).items()]
    strings = ["ADJREQ1", *settings, *_counted("argc", request.argv), *_counted("envc", _env(request)), "end"]
    encoded = b"".join(_bytes(request, text) + b"\0" for text in strings)
    if len(encoded) > MAX_REQUEST_BYTES:
        raise _refused(request.argv[0], f"has {len(encoded)} bytes of arguments and environment")
    return encoded


def exec_argv(program: str, encoded: bytes) -> list[str]:
    """The argv that receives the request `encoded`, `program` being the path of the runner in the container."""
    return [program, "exec", str(len(encoded)), str(zlib.crc32(encoded))]


def exit_code(end: StreamEnd, what: str, timeout: float) -> int:
    """The exit code of `what` (say "`make` in NAME"); death by signal N is 128 + N.

    Raises:
        ExecError: `not-started`; retryable if only the request was damaged on its way. `unknown-end` (retryable): it was
            killed because its input was cut or its caller gone.
        ContainerTimeout: it was killed when its time was up.
    """
    match end.end:
        case End.EXITED:
            return end.exit_code if end.exit_code is not None else 128 + (end.signal or 0)
        case End.TIMEOUT:
            raise ContainerTimeout(f"{what} did not end within {timeout:g} s and was killed", details=end.message)
        case End.NOT_STARTED | End.DAMAGED:
            raise ExecError(
                f"{what} could not be started",
                details=end.message,
                reason="not-started",
                retryable=end.end is End.DAMAGED,
            )
        case _:
            raise ExecError(f"{what} was killed ({end.end})", details=end.message, reason="unknown-end", retryable=True)


def _settings(request: ExecRequest) -> dict[str, str | int]:
    return {
        "workdir": request.workdir,
        "groups": ",".join(map(str, request.groups)),
        "uid": request.uid,
        "gid": request.gid,
        "umask": request.umask,
        "timeout_ms": max(1, round(request.timeout * 1000)),
        "stdin_size": request.stdin_size,
        "hangup": int(request.hangup),
        **({"leave": 1} if request.leave else {}),
    }


def _env(request: ExecRequest) -> list[str]:
    for key in request.env:
        if not key or "=" in key:
            raise _refused(request.argv[0], f"has an environment variable with the impossible name {key!r}")
    return [f"{key}={value}" for key, value in request.env.items()]


def _counted(key: str, strings: Iterable[str]) -> list[str]:
    listed = list(strings)
    return [f"{key}={len(listed)}", *listed]


def _bytes(request: ExecRequest, text: str) -> bytes:
    if "\0" in text:
        raise _refused(request.argv[0], f"has a NUL in {text[:80]!r}")
    return text.encode("utf-8", "surrogateescape")


def _refused(name: str, why: str) -> ExecError:
    return ExecError(f"`{name}` could not be started: it {why}", reason="not-started")
