"""Podman's raw streams: the HTTP upgrade of an exec, and the 8-byte frames that tell stdout from stderr.

podman-py takes a short read for the end (traps 4); here a frame that ends early is an error of its own.
"""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Iterator

from koji_adjutant.container.podman_client import PodmanRefusal, unavailable
from koji_adjutant.errors import ExecError, RuntimeUnavailable

HEADER = 8
STDOUT = 1
STDERR = 2
CHUNK = 256 * 1024
MAX_HEAD = 64 * 1024


class FrameReader:
    """Takes a stream apart as its bytes come; holds no more than a header back. Not thread-safe."""

    def __init__(self) -> None:
        self._header = b""
        self._stream = 0
        self._left = 0

    @property
    def at_boundary(self) -> bool:
        """Whether the stream may end here: between two frames."""
        return not self._left and not self._header

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield `(stream, bytes)` for what `data` adds."""
        view = memoryview(data)
        while view:
            if not self._left:
                view = self._take_header(view)
                continue
            piece, view = view[: self._left], view[self._left :]
            self._left -= len(piece)
            yield self._stream, bytes(piece)

    def _take_header(self, view: memoryview) -> memoryview:
        missing = HEADER - len(self._header)
        self._header += bytes(view[:missing])
        if len(self._header) == HEADER:
            self._stream = self._header[0]
            self._left = int.from_bytes(self._header[4:], "big")
            self._header = b""
        return view[missing:]


class StdinFeeder:
    """Feeds a command's stdin without blocking; half-closes at its end."""

    def __init__(self, stream: socket.socket, data: bytes) -> None:
        self._stream = stream
        self._left = memoryview(data)

    @property
    def events(self) -> int:
        """What to wait for on the socket."""
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._left else 0)

    def feed(self) -> None:
        """Send what fits. A command that has closed its stdin gets no more."""
        try:
            self._left = self._left[self._stream.send(self._left[:CHUNK]) :]
            if not self._left:
                self._stream.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            self._left = memoryview(b"")


def connect(path: str, timeout: float) -> socket.socket:
    """Connect to the service's socket.

    Raises:
        RuntimeUnavailable: nobody listens there.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    connection.settimeout(timeout)
    try:
        connection.connect(path)
    except OSError as error:
        connection.close()
        raise unavailable(path, error) from error
    return connection


def upgrade(connection: socket.socket, path: str, body: object) -> bytes:
    """POST `body` and switch the connection to a raw stream; return what of the stream came along.

    Raises:
        PodmanRefusal: the service answered with an error.
        RuntimeUnavailable: it went away without an answer.
    """
    payload = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: podman\r\nContent-Type: application/json\r\n"
        f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    try:
        connection.sendall(head.encode() + payload)
        status, headers, rest = _read_head(connection)
        if status in {101, 200}:
            return rest
        message = _read_error(connection, headers, rest)
    except OSError as error:
        raise RuntimeUnavailable(f"Podman went away during `POST {path}`", details=str(error)) from error
    raise PodmanRefusal(f"POST {path}", status, message)


def _read_head(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(4096)
        if not more or len(data) > MAX_HEAD:
            raise ConnectionResetError("no answer to the request")
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, rest


def _read_error(connection: socket.socket, headers: dict[str, str], body: bytes) -> str:
    length = min(int(headers.get("content-length", "0")), MAX_HEAD)
    while len(body) < length and (more := connection.recv(4096)):
        body += more
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace")


def broken(what: str) -> ExecError:
    """The error for a stream that ended inside a frame, or before its command."""
    return ExecError(f"the stream of {what} broke", details="its end is unknown", reason="unknown-end", retryable=True)
