"""The logs of a task once more, as JSON lines on stdout, for collectors that read the daemon's output. Off unless asked for.

What counts is still what goes to the hub: this is a copy. Lines come whole and in order for each log; a line is cut into pieces
of `LINE_BYTES`, bytes that are no UTF-8 are replaced, and JSON leaves no control character as it is.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from koji_adjutant.log_sink import LogSink

LINE_BYTES = 1 << 16
_stdout_lock = threading.Lock()
"""One line at a time, of whichever task."""


class LogLines:
    """A `LogSink` in front of another one. Thread-safe. What a daemon before us has copied is not copied again."""

    def __init__(
        self,
        sink: LogSink,
        task_id: int,
        method: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sink = sink
        self._of = {"task_id": task_id, "method": method}
        self._stream = stream
        self._clock = clock
        self._begun: dict[str, bytes] = {}
        """Of each log, what has come of its last line."""
        self._lock = threading.Lock()

    def write(self, log: str, offset: int, data: bytes) -> None:
        with self._lock:
            held = self._sink.size(log)
            self._sink.write(log, offset, data)
            self._copy(log, data[max(0, held - offset) :])

    def append(self, log: str, data: bytes) -> None:
        with self._lock:
            self._sink.append(log, data)
            self._copy(log, data)

    def size(self, log: str) -> int:
        return self._sink.size(log)

    def close(self) -> None:
        """Write the last lines of logs that do not end with a newline."""
        with self._lock:
            for log, rest in self._begun.items():
                if rest:
                    self._print(log, rest)
            self._begun.clear()

    def _copy(self, log: str, data: bytes) -> None:
        *lines, rest = (self._begun.get(log, b"") + data).split(b"\n")
        for line in lines:
            for at in range(0, len(line) or 1, LINE_BYTES):
                self._print(log, line[at : at + LINE_BYTES])
        while len(rest) > LINE_BYTES:
            self._print(log, rest[:LINE_BYTES])
            rest = rest[LINE_BYTES:]
        self._begun[log] = rest

    def _print(self, log: str, line: bytes) -> None:
        text = line.removesuffix(b"\r").decode("utf-8", "replace")
        record = {"time": round(self._clock(), 3), **self._of, "log": log, "line": text}
        stream = self._stream or sys.stdout
        with _stdout_lock:
            stream.write(json.dumps(record) + "\n")
            stream.flush()
