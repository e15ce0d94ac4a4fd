"""A socket that one thread reads while another one writes, plain and over TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from koji_adjutant.container.kubernetes_duplex import DuplexSocket
from tests.support.pki import PKI

SIZE = 8_000_000


@pytest.fixture(params=["plain", "tls"])
def pair(request, tmp_path):
    """Both ends of a connection."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.settimeout(20)
    if request.param == "tls":
        ours, theirs = tls(PKI(tmp_path), ours, theirs)
    ends = DuplexSocket(ours), DuplexSocket(theirs)
    yield ends
    for end in ends:
        end.close()


def tls(pki, ours, theirs):
    """The same connection with TLS over it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pki.issue("server", host=True))
    client = ssl.create_default_context(cafile=str(pki.ca))
    with ThreadPoolExecutor(1) as pool:
        accepted = pool.submit(server.wrap_socket, theirs, server_side=True)
        return client.wrap_socket(ours, server_hostname="server"), accepted.result()


def send_all(end, data):
    """Send all of it."""
    view = memoryview(data)
    while view:
        view = view[end.send(view[: 1 << 16]) :]


def receive(end, size):
    """Receive so many bytes."""
    found = bytearray()
    while len(found) < size:
        found += end.recv(1 << 16)
    return bytes(found)


def test_both_ways_at_once(pair):
    """Both ends send more than any buffer holds while they receive: nothing waits for ever, nothing is mixed up."""
    ours, theirs = pair
    one, two = b"1" * SIZE, b"2" * SIZE
    with ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(send_all, ours, one), pool.submit(send_all, theirs, two)]
        receiving = [pool.submit(receive, theirs, SIZE), pool.submit(receive, ours, SIZE)]
        assert [found.result(60) for found in receiving] == [one, two]
        for sent in sending:
            sent.result(10)


def test_waits_end(pair):
    """A wait has its time-out, for receiving and for sending."""
    ours, _ = pair
    ours.settimeout(0.05)
    assert ours.gettimeout() == 0.05
    with pytest.raises(TimeoutError):
        ours.recv(1)
    with pytest.raises(TimeoutError):
        send_all(ours, bytes(SIZE))


def test_close_wakes_who_waits(pair):
    """Whoever waits for bytes when the connection is closed gets an end or an error at once."""
    ours, _ = pair
    ours.settimeout(60)
    waiting = threading.Event()

    def wait():
        waiting.set()
        try:
            return ours.recv(1)
        except OSError:
            return b""

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(wait)
        assert waiting.wait(10)
        ours.close()
        assert ended.result(10) == b""


def test_end_of_the_other_side(pair):
    """What the other side sent before it left arrives, then the end."""
    ours, theirs = pair
    send_all(theirs, b"last words")
    theirs.close()
    assert receive(ours, 10) == b"last words"
    with contextlib.suppress(ssl.SSLError):  # TLS tells an end that was not announced
        assert ours.recv(1) == b""
