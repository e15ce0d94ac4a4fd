"""HTTP to the hub whose answer can be waited for in slices, so that a stop is noticed while the hub is silent.

kojid's default time-out of a request is 12 hours (contract 1.3 `timeout`): a thread that waits for a hub that accepts
and then says nothing would be deaf for as long. Here the socket is read with a short time-out, again and again, and
between two reads the owner's `check` may raise. Sending, TLS, pooling and HTTP itself stay urllib3's.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

SLICE = 0.5
"""Seconds between two looks at `check`."""

Check = Callable[[], None]
"""Raises when the wait is to end; called in the thread that waits."""


class _PatientReader(io.RawIOBase):
    """Reads a socket in slices of `SLICE`; the time-out counts from the last byte, as requests' read time-out does."""

    def __init__(self, sock: socket.socket, check: Check) -> None:
        super().__init__()
        self._sock = sock
        self._check = check
        self._limit = sock.gettimeout()
        self._closer = sock.makefile("rb", buffering=0)  # keeps the socket open until the response is read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        started = time.monotonic()
        self._sock.settimeout(SLICE if self._limit is None else min(SLICE, self._limit))
        while True:
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                self._check()
                if self._limit is not None and time.monotonic() - started >= self._limit:
                    raise

    def close(self) -> None:
        if not self.closed:
            self._closer.close()
        super().close()


class _PatientSocket:
    """What http.client asks of a socket when it builds a response: `makefile`."""

    def __init__(self, sock: socket.socket, check: Check) -> None:
        self._sock = sock
        self._check = check

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_PatientReader(self._sock, self._check))


def _response_class(check: Check) -> type[http.client.HTTPResponse]:
    class PatientResponse(http.client.HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(_PatientSocket(sock, check), *args, **kwargs)  # type: ignore[arg-type] # makefile is all it uses

    return PatientResponse


class InterruptibleAdapter(HTTPAdapter):
    """A transport adapter of requests. Through a proxy the plain one is used: a stop then waits for the answer."""

    def __init__(self, check: Check) -> None:
        self._check = check
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        response_class = _response_class(self._check)
        plain = type("HTTPConnection", (HTTPConnection,), {"response_class": response_class})
        secure = type("HTTPSConnection", (HTTPSConnection,), {"response_class": response_class})
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("HTTPConnectionPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("HTTPSConnectionPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


def interruptible_session(check: Check) -> requests.Session:
    """Return a requests session whose waits for an answer end when `check` raises."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, InterruptibleAdapter(check))
    return session
