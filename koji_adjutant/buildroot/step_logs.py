"""Where the output of each step goes: the map from (step, stream) to (log name, base offset) (design section 3).

The base is recorded before the step starts, and everything around a step's output (mock's "Executing command" line,
the "Child return code" line) is written at offsets that follow from it. So all of it may be written again by a daemon
that adopts the task, byte for byte at the same place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from koji_adjutant.buildroot.commands import return_code_line
from koji_adjutant.container.interface import ContainerHandle
from koji_adjutant.container.steps import StepEnd, StepService, StepSpec, StepStatus
from koji_adjutant.errors import ContainerError
from koji_adjutant.log_sink import LogSink
from koji_adjutant.tracing import span

_PIECE = 1 << 20
"""Bytes of what stands for lost output that are in memory at once."""


class Remember(Protocol):
    """`Journal.remember` of the task."""

    def __call__(self, name: str, make: Callable[[], Any], /) -> Any: ...


class StepLogs:
    """Runs steps with their output in the task's logs. One thread at a time per log."""

    def __init__(self, sink: LogSink, remember: Remember, interrupt: threading.Event) -> None:
        self._sink = sink
        self._remember = remember
        self._interrupt = interrupt

    @classmethod
    def discarding(cls) -> StepLogs:
        """Return one for steps whose output nobody keeps (prepared images)."""
        return cls(_Nowhere(), lambda _, make: make(), threading.Event())

    def line(self, name: str, log: str, text: Callable[[], str]) -> None:
        """Append a line the daemon itself writes (with its time stamp) to `log`, once over all runs of the task."""
        written = self._remember(f"line:{name}", lambda: [self._sink.size(log), text()])
        self._write(log, written[0], written[1].encode())

    def _write(self, log: str, base: int, data: bytes) -> None:
        """Write at a recorded place. A daemon killed while the disk was full may have lost what stood before it."""
        held = self._sink.size(log)
        for piece in _lost(base - held):
            self._sink.write(log, held, piece)
            held += len(piece)
        self._sink.write(log, base, data)

    def run(
        self,
        steps: StepService,
        where: ContainerHandle,
        spec: StepSpec,
        log: str,
        *,
        header: str = "",
        footer: Callable[[StepStatus], str] | None = None,
    ) -> StepStatus:
        """Start `spec` (or find it started), append its output to `log` as it comes, return its end.

        Raises:
            Interrupted: the wait was ended; the step goes on.
            ContainerLost, OutOfMemory, RuntimeUnavailable: as `StepService.follow`.
            ContainerError: the step could not be started, with the runner's reason.
        """
        base: int = self._remember(f"log:{spec.name}", lambda: self._sink.size(log))
        head = header.encode()
        self._write(log, base, head)
        start = base + len(head)
        with span(f"step {spec.name}", step=spec.name, container=where.name, log=log):
            steps.start(where, spec)
            status = steps.follow(
                where,
                spec.name,
                lambda offset, data: self._sink.write(log, start + offset, data),
                offset=max(0, self._sink.size(log) - start),
                interrupt=self._interrupt,
            )
        if footer is not None:
            self._sink.write(log, start + status.out_bytes, footer(status).encode())
        if status.end is StepEnd.NOT_STARTED:
            raise ContainerError(
                f"step {spec.name} could not be started in {where.name}: {status.message}",
                reason="not-started",
                retryable=True,
            )
        return status


def step_footer(status: StepStatus) -> str:
    """Return mock's line for the end of a command; what was dropped of its output is named before it."""
    code = status.exit_code if status.signal is None else -status.signal
    dropped = f"\n{status.dropped_bytes} bytes of output were dropped: {_why(status)}\n" if status.dropped_bytes else ""
    return dropped + return_code_line(-1 if code is None else code)


def _why(status: StepStatus) -> str:
    return " ".join(status.message.split()) or "the log reached its limit"


def _lost(size: int) -> Iterator[bytes]:
    """Yield `size` bytes, none for less than 1, that say what they stand for; in pieces, for they may be a whole log."""
    text = f"[{size} bytes of this log are lost]".encode()
    for at in range(0, size, _PIECE):
        end = min(size, at + _PIECE)
        piece = text[at : min(end, size - 1)].ljust(end - at)
        yield piece if end < size else piece[:-1] + b"\n"


class _Nowhere:
    """Counts what it is given, so that offsets fit."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def write(self, log: str, offset: int, data: bytes) -> None:
        self._sizes[log] = max(self.size(log), offset + len(data))

    def append(self, log: str, data: bytes) -> None:
        self.write(log, self.size(log), data)

    def size(self, log: str) -> int:
        return self._sizes.get(log, 0)
