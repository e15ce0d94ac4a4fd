"""The path of a task's log bytes: idempotent by offset, so that any part of it may be repeated (design section 3)."""

from __future__ import annotations

from typing import Protocol


class LogSink(Protocol):
    """Takes the logs of one task. Thread-safe."""

    def write(self, log: str, offset: int, data: bytes) -> None:
        """Put `data` at `offset` of the log `log` (a file name such as `build.log`).

        Bytes the sink already holds are skipped; a gap is an error (`ValueError`), since it would lose output.
        """

    def size(self, log: str) -> int:
        """How many bytes of `log` the sink holds; 0 for one it does not know."""

    def append(self, log: str, data: bytes) -> None:
        """Write at the end; for logs the daemon itself writes (`state.log`), from one thread each."""
