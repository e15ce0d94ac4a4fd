"""The control socket: framing, bounds, who may connect, what becomes of the file, over real sockets."""

from __future__ import annotations

import grp
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.control.client import ControlClient, InfrastructureFailed, NoDaemon, NotPermitted
from koji_adjutant.control.protocol import (
    REQUEST_BYTES,
    ControlError,
    Failure,
    Fault,
    ProtocolError,
    Request,
    decode,
    failure_message,
    parse_failure,
    parse_request,
    request_line,
)
from koji_adjutant.control.server import PLACES, Call, ControlServer
from koji_adjutant.errors import AdjutantError, ContainerTimeout, HubError

Serve = Callable[..., ControlClient]


@pytest.fixture
def path(directory: Path) -> Path:
    return directory / "control.sock"


@pytest.fixture
def serve(path: Path) -> Iterator[Serve]:
    """Serve an answer until the test ends; return a client."""
    servers = []

    def make(
        answer: Callable[[Call], Any] = lambda call: dict(call.request.arguments), **options: Any
    ) -> ControlClient:
        server = ControlServer(path, answer, **options)
        assert server.start()
        servers.append(server)
        return ControlClient(path)

    yield make
    for server in servers:
        server.stop()


def raw(path: Path, data: bytes) -> bytes:
    """Send bytes, say no more, return all that comes back."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(os.fspath(path))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            return stream.read()


def test_a_call_is_answered(serve: Serve) -> None:
    """What was asked comes back as the result, odd characters included."""
    assert serve().call("echo", text="a\nb \u202e ü", number=3) == {"text": "a\nb \u202e ü", "number": 3}


def test_a_stream_ends_with_its_result(serve: Serve) -> None:
    """Data come in order, the result last."""

    def answer(call: Call) -> str:
        for number in range(3):
            call.send(number)
        return "end"

    stream = serve(answer).stream("count")
    assert [next(stream), next(stream), next(stream)] == [0, 1, 2]
    with pytest.raises(StopIteration) as end:
        next(stream)
    assert end.value.value == "end"


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ControlError("no"), ControlError, 1),
        (ControlError("not you", fault=Fault.NOT_PERMITTED), NotPermitted, 4),
        (HubError("hub"), InfrastructureFailed, 75),
        (ContainerTimeout("late"), InfrastructureFailed, 75),
        (AdjutantError("wrong"), ControlError, 1),
        (FileNotFoundError(2, "gone"), ControlError, 1),
        (KeyError("unforeseen"), InfrastructureFailed, 75),
    ],
)
def test_errors_keep_their_kind(serve: Serve, error: Exception, kind: type[ControlError], code: int) -> None:
    """Whose failing it is decides the class and the exit code."""

    def answer(_call: Call) -> None:
        raise error

    with pytest.raises(ControlError) as caught:
        serve(answer).call("fail")
    assert type(caught.value) is kind
    assert caught.value.exit_code == code


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"[]\n",
        b'{"control": 2, "command": "x", "arguments": {}}\n',
        b'{"control": 1, "command": 7, "arguments": {}}\n',
        b'{"control": 1, "command": "x"}\n',
        b'{"control": 1',
        b"[" * 60_000 + b"\n",
        b"x" * (REQUEST_BYTES + 1),
    ],
)
def test_what_is_no_request_is_refused(serve: Serve, path: Path, data: bytes) -> None:
    """Strange, cut and endless lines get one line that says so, and the next client is served."""
    client = serve()
    answer = raw(path, data)
    assert parse_failure(decode(answer)["error"]).fault is Fault.REFUSED
    assert client.call("echo", a=1) == {"a": 1}


def test_silence_is_no_request(serve: Serve, path: Path) -> None:
    """Who connects and hangs up gets nothing, and harms nobody."""
    client = serve()
    assert raw(path, b"") == b""
    assert client.call("echo") == {}


def test_an_endless_answer_is_refused(serve: Serve) -> None:
    """A result that no client would read is an error."""
    with pytest.raises(ControlError, match="too long"):
        serve(lambda _call: "x" * (17 << 20)).call("much")


def test_a_request_too_long_is_not_sent() -> None:
    """The client says it itself."""
    with pytest.raises(ProtocolError, match="too long"):
        request_line(Request("log", {"log": "x" * REQUEST_BYTES}))


def test_requests_and_failures_survive_the_wire() -> None:
    """What is written is what is read."""
    request = Request("drain", {"reason": "ü"})
    assert parse_request(request_line(request)) == request
    failure = Failure("brief", "details", "resolution", Fault.AWAY)
    error = parse_failure(failure_message(failure)["error"])
    assert (error.brief, error.details, error.resolution, error.fault) == ("brief", "details", "resolution", Fault.AWAY)
    assert parse_failure({"brief": "x", "fault": "of a later version"}).fault is Fault.REFUSED
    assert parse_failure(None).brief


def test_the_peer_is_known(serve: Serve) -> None:
    """The kernel says who asks."""
    data = serve(lambda call: [call.peer.pid, call.peer.uid, call.peer.privileged]).call("who")
    assert data == [os.getpid(), os.geteuid(), True]


def test_modes(serve: Serve, path: Path) -> None:
    """Nobody else may connect, but the group if one is named."""
    serve()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    serve(gid=os.getegid())
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert grp.getgrgid(path.stat().st_gid)


def test_nobody_there(path: Path) -> None:
    """No socket, and a file that is none, are a daemon that is not there."""
    with pytest.raises(NoDaemon) as caught:
        ControlClient(path).call("status")
    assert caught.value.exit_code == 3
    path.touch()
    with pytest.raises(NoDaemon):
        ControlClient(path).call("status")


def test_a_dead_daemons_socket_is_replaced(serve: Serve, path: Path) -> None:
    """What kill -9 left does not keep the next one out."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(os.fspath(path))
    assert serve().call("echo", a=1) == {"a": 1}


def test_a_successor_keeps_its_socket(path: Path) -> None:
    """The daemon that ends while the next one serves already removes its own socket only."""
    first, second = (ControlServer(path, lambda _call, n=number: n) for number in (1, 2))
    assert first.start()
    assert second.start()
    first.stop()
    assert ControlClient(path).call("which") == 2
    second.stop()
    assert not path.exists()
    assert list(path.parent.iterdir()) == []


def test_a_socket_that_cannot_be_had(directory: Path) -> None:
    """A path too long for a socket, or a directory that is not there, is no reason to fail."""
    for path in (directory / ("x" * 120), directory / "missing" / "control.sock"):
        server = ControlServer(path, lambda _call: None)
        assert not server.start()
        server.stop()


def test_a_client_that_hangs_up_ends_its_call(serve: Serve) -> None:
    """A stream nobody reads any more does not go on in the daemon."""
    ended = threading.Event()

    def answer(call: Call) -> None:
        call.send("first")
        try:
            while True:
                call.pause(10.0)
        finally:
            ended.set()

    stream = serve(answer).stream("follow")
    assert next(stream) == "first"
    stream.close()
    assert ended.wait(5)


def test_stop_ends_streams(path: Path) -> None:
    """A client that follows hears that the daemon stops, and may ask the next one."""

    def answer(call: Call) -> None:
        call.send("first")
        while True:
            call.pause(0.05)

    server = ControlServer(path, answer)
    assert server.start()
    stream = ControlClient(path).stream("follow")
    assert next(stream) == "first"
    server.stop()
    with pytest.raises(NoDaemon, match="the daemon stops"):
        next(stream)
    assert not path.exists()


def test_too_many_at_once(serve: Serve) -> None:
    """The places have an end, and are given back."""
    going = threading.Barrier(PLACES + 1)

    def answer(call: Call) -> None:
        if call.request.command == "stay":
            call.send("here")
            going.wait(10)

    client = serve(answer)
    streams = [client.stream("stay") for _ in range(PLACES)]
    assert [next(stream) for stream in streams] == ["here"] * PLACES
    with pytest.raises(NoDaemon, match="too many"):
        client.call("go")
    going.wait(10)
    for stream in streams:
        with pytest.raises(StopIteration):
            next(stream)
    assert client.call("go") is None
