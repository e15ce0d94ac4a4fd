"""Seams by which tests break a hub's calls: before a call is done, or between its commit and its answer.

`MiniHub.before_call` and `after_call` get a `Call`. They may take their time, raise a Koji error (the client gets it as a
fault; after the call its effect stands), `DropConnection` (no answer at all) or `HttpError` (an answer that is no fault).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A call as it came in. `method` is `rawUpload` for uploads: args are directory, name, offset and size."""

    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    session_id: int | None
    call_number: int | None


CallHook = Callable[[Call], None]


class DropConnection(Exception):
    """Close the connection without an answer."""


class HttpError(Exception):
    """Answer with this HTTP status instead."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def nothing(_call: Call) -> None:
    """The hook that is there when no test put another."""
