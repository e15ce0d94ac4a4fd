"""Signals as calls in a thread of their own.

A Python signal handler runs in the main thread between any two of its instructions, where setting an event or logging can
wait for a lock that the interrupted code holds. Here the handlers do nothing; the C level writes the number to a socket
pair, and a thread reads it. Children and an exec'd successor see default handlers (contract 1.7: builds depend on it).
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from types import FrameType

import structlog

log = structlog.get_logger(__name__)


class SignalThread:
    """Calls `actions[number]` for each signal that arrives. `install` and `close` belong to the main thread."""

    def __init__(self, actions: Mapping[signal.Signals, Callable[[], None]]) -> None:
        self._actions = dict(actions)
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="signals", daemon=True)

    def install(self) -> None:
        """Take the signals over from their default handlers."""
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in self._actions:
            signal.signal(number, _nothing)
        self._thread.start()

    def close(self) -> None:
        """Give the signals back to their default handlers."""
        for number in self._actions:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        with contextlib.suppress(OSError):
            self._writer.close()
        self._thread.join(1.0)
        self._reader.close()

    def _run(self) -> None:
        while True:
            try:
                numbers = self._reader.recv(64)
            except OSError:
                return
            if not numbers:
                return
            for number in numbers:
                self._act(signal.Signals(number))

    def _act(self, number: signal.Signals) -> None:
        action = self._actions.get(number)
        if action is None:
            return
        log.info("signal.received", signal=number.name)
        try:
            action()
        except Exception as error:
            log.exception("signal.action_failed", signal=number.name, error=str(error))


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Stand in for the default handler; the wake-up socket has the number."""
