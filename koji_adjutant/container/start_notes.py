"""What a container waits for while it starts, told to whoever asked for it: the log of a task, and the page.

A runtime says it by `say`; who wants to hear it for what his own thread starts surrounds that with `heard_by`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Hear = Callable[[str], None]
"""Gets a text for people, one line or more; empty: nothing is waited for any more."""

_hear: ContextVar[Hear | None] = ContextVar("start_notes", default=None)


@contextmanager
def heard_by(hear: Hear) -> Iterator[None]:
    """Have `hear` called with what this thread's containers wait for."""
    token = _hear.set(hear)
    try:
        yield
    finally:
        _hear.reset(token)


def say(text: str) -> None:
    """Tell what the container that this thread starts waits for."""
    hear = _hear.get()
    if hear is not None:
        hear(text)
