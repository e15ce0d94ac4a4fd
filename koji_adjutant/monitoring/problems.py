"""The last warnings and errors of the daemon, as its log has them; a handler of the standard library's logging."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from koji_adjutant.config.secrets import mask_text, masked

KEEP = 50
MAX_TEXT = 2000
"""Characters of one problem's text that are kept."""


@dataclass(frozen=True)
class Problem:
    """An event of the log. `text` holds what it says besides: an error's own text names the remedy."""

    at: float
    """Unix time of the last one."""
    level: str
    event: str
    text: str
    task_id: int | None = None
    times: int = 1
    """How often it was logged in a row."""

    def document(self) -> dict[str, Any]:
        """Return the problem as JSON has it."""
        return asdict(self)


class RecentProblems(logging.Handler):
    """Remembers the last KEEP records from WARNING on. Thread-safe; makes no line of its own."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._found: deque[Problem] = deque(maxlen=KEEP)
        self._change = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record; one that says the same as the last is counted."""
        try:
            found = problem_of(record)
        except (TypeError, ValueError):
            self.handleError(record)
            return
        with self._change:
            last = self._found[-1] if self._found else None
            if last is not None and replace(last, at=found.at, times=1) == found:
                self._found[-1] = replace(found, times=last.times + 1)
            else:
                self._found.append(found)

    def last(self) -> list[Problem]:
        """Return what is remembered, the latest first."""
        with self._change:
            return list(reversed(self._found))


def problem_of(record: logging.LogRecord) -> Problem:
    """Read a record of structlog's or of the standard library's."""
    if not isinstance(record.msg, Mapping):
        text = mask_text(record.getMessage())[:MAX_TEXT]
        return Problem(record.created, record.levelname.lower(), record.name, text)
    values = dict(record.msg)
    event = str(values.pop("event", record.name))
    task_id = values.pop("task_id", None)
    values.pop("exc_info", None)
    error = values.pop("error", None)
    rest = [f"{name}: {masked(name, value)}" for name, value in values.items() if not name.startswith("_")]
    lines = [*([mask_text(str(error))] if error else []), *rest]
    return Problem(
        at=record.created,
        level=record.levelname.lower(),
        event=event,
        text="\n".join(lines)[:MAX_TEXT],
        task_id=task_id if isinstance(task_id, int) else None,
    )
