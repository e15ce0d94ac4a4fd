"""A connected socket that one thread may read while another one writes, over TLS too.

OpenSSL allows no two calls on one connection at once, and Python holds no lock over them. Here each call is short and under a
lock; the waiting happens outside of it.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

_NOTHING: Any = object()


class DuplexSocket:
    """What `websocket.WebSocket` needs of its socket. Takes `inner` over, which must be past its handshakes."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._timeout = inner.gettimeout()
        inner.setblocking(False)

    def recv(self, size: int) -> bytes:
        """At most `size` bytes as soon as there are some; none: the end. Raises TimeoutError after the time-out."""
        found: bytes = self._do(lambda: self._inner.recv(size), select.POLLIN)
        return found

    def send(self, data: bytes) -> int:
        """Send some of `data`; how much. Raises TimeoutError as `recv` does."""
        sent: int = self._do(lambda: self._inner.send(data), select.POLLOUT)
        return sent

    def settimeout(self, timeout: float | None) -> None:
        """Limit each wait, in seconds."""
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        """Limit of each wait."""
        return self._timeout

    def fileno(self) -> int:
        """Descriptor of the socket."""
        return self._inner.fileno()

    def close(self) -> None:
        """End the connection at once; whoever waits for it wakes up with an error or an end."""
        with contextlib.suppress(OSError):
            # Not that of an SSLSocket, which would take its TLS state from under another thread.
            socket.socket.shutdown(self._inner, socket.SHUT_RDWR)
        with self._lock, contextlib.suppress(OSError):
            self._inner.close()

    def _do(self, call: Callable[[], Any], usual: int) -> Any:
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        while True:
            with self._lock:
                found, wanted = _try(call, usual)
                descriptor = self._inner.fileno()
            if found is not _NOTHING:
                return found
            if descriptor < 0:
                raise OSError("the connection was closed")
            _wait(descriptor, wanted, deadline)


def _try(call: Callable[[], Any], usual: int) -> tuple[Any, int]:
    """Result of a call that does not block, or what must be waited for before it is tried again."""
    try:
        return call(), 0
    except ssl.SSLWantReadError:
        return _NOTHING, select.POLLIN
    except ssl.SSLWantWriteError:
        return _NOTHING, select.POLLOUT
    except BlockingIOError:
        return _NOTHING, usual


def _wait(descriptor: int, events: int, deadline: float | None) -> None:
    left = None if deadline is None else deadline - time.monotonic()
    poll = select.poll()
    poll.register(descriptor, events)
    if (left is not None and left <= 0) or not poll.poll(None if left is None else left * 1000):
        raise TimeoutError("timed out")
