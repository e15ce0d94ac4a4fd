"""Frames of Podman's streams, whatever the pieces they come in."""

from __future__ import annotations

import socket

import pytest

from koji_adjutant.container.podman_client import PodmanRefusal
from koji_adjutant.container.podman_stream import FrameReader, upgrade
from koji_adjutant.errors import RuntimeUnavailable


def _frame(stream, data):
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


WIRE = _frame(1, b"out") + _frame(2, b"") + _frame(2, b"err") + _frame(1, b"x" * 1000)


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 64, len(WIRE)])
def test_frames_in_pieces_of_any_size(size):
    """Streams are told apart in any cut of the wire."""
    reader = FrameReader()
    found = {1: b"", 2: b""}
    for start in range(0, len(WIRE), size):
        for stream, data in reader.feed(WIRE[start : start + size]):
            found[stream] += data
    assert found == {1: b"out" + b"x" * 1000, 2: b"err"}
    assert reader.at_boundary


@pytest.mark.parametrize("kept", [1, 7, 8, 9, 10])
def test_end_inside_a_frame_is_seen(kept):
    """A stream that ends within a header or its data is not at a boundary."""
    reader = FrameReader()
    list(reader.feed(WIRE[:kept]))
    assert not reader.at_boundary


def _upgrade(answer):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        return upgrade(ours, "/exec/1/start", {})


def test_upgrade_gives_what_came_along():
    """Bytes of the stream that came with the answer's head are not lost."""
    assert _upgrade(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nrest") == b"rest"


def test_upgrade_refused():
    """An error answer is a refusal with the service's message."""
    body = b'{"message": "no such exec session"}'
    head = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body)
    with pytest.raises(PodmanRefusal) as caught:
        _upgrade(head + body)
    assert (caught.value.status, caught.value.message) == (404, "no such exec session")


def test_upgrade_cut():
    """A service that goes away without an answer is unavailable."""
    with pytest.raises(RuntimeUnavailable):
        _upgrade(b"HTTP/1.1 10")
