"""Runs blocking requests of one follower so that the follower can be interrupted meanwhile."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from koji_adjutant.errors import Interrupted

Result = TypeVar("Result")
_Request = Callable[[], Result]

_CHECK = 0.2
"""Seconds between two looks at the interrupt: a queue and an event cannot be awaited together."""


class StepWorker(Generic[Result]):
    """One thread that makes requests, one at a time; started at the first request, ended by `close`.

    A request that is abandoned by an interrupt goes on in the thread until it ends by itself; its result is dropped.
    """

    def __init__(self, interrupt: threading.Event | None) -> None:
        self._interrupt = interrupt
        self._requests: queue.SimpleQueue[_Request[Result] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Result | None, BaseException | None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def call(self, request: Callable[[], Result]) -> Result:
        """Result of `request`, or what it raised.

        Raises:
            Interrupted: the interrupt is set; the worker is of no more use then.
        """
        if self._interrupt is None:
            return request()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="step-worker", daemon=True)
            self._thread.start()
        self._requests.put(request)
        return self._await(self._interrupt)

    def close(self) -> None:
        """Let the thread end; does not wait for it."""
        if self._thread is not None:
            self._requests.put(None)

    def _await(self, interrupt: threading.Event) -> Result:
        while True:
            try:
                result, error = self._results.get(timeout=_CHECK)
            except queue.Empty:
                check_interrupt(interrupt)
                continue
            if error is not None:
                raise error
            return result  # type: ignore[return-value] # without an error it is the request's result

    def _run(self) -> None:
        while (request := self._requests.get()) is not None:
            try:
                self._results.put((request(), None))
            except Exception as error:  # noqa: BLE001 # a thread's top: reported to the caller
                self._results.put((None, error))


def check_interrupt(interrupt: threading.Event | None) -> None:
    """Raise Interrupted if the event is set."""
    if interrupt is not None and interrupt.is_set():
        raise Interrupted("the wait for a step was interrupted; the step goes on")
