"""`<log>-ts.log`: when each part of a log came (option `log_timestamps`, contract 4.0.4).

Lines of `<unix time> <byte offset>`, the first one `<time> 0`, one more whenever the log has grown.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from koji_adjutant.hub.log_spool import LogSpool

log = structlog.get_logger(__name__)

SUFFIX = "-ts.log"


class LogTimestamps:
    """Writes the companions of all logs of a spool. Used by one thread."""

    def __init__(self, spool: LogSpool, wall_clock: Callable[[], float]) -> None:
        self._spool = spool
        self._now = wall_clock
        self._offsets: dict[str, int] = {}

    def note_growth(self) -> None:
        """Look once at every log. Trouble of the disk is logged; the next look makes up for it."""
        try:
            for name in self._spool.names():
                if not name.endswith(SUFFIX):
                    self._note(name)
        except OSError as error:
            log.warning("log.timestamps_failed", error=str(error))

    def _note(self, name: str) -> None:
        companion = name + SUFFIX
        if name not in self._offsets:
            self._offsets[name] = self._last_offset(companion)
        size = self._spool.stored(name)
        if size > self._offsets[name]:
            self._spool.append(companion, b"%d %d\n" % (self._now(), size))
            self._offsets[name] = size

    def _last_offset(self, companion: str) -> int:
        """Return where the companion ends, as an earlier daemon left it; begin a new one at 0."""
        size = self._spool.stored(companion)
        if size == 0:
            self._spool.append(companion, b"%d 0\n" % self._now())
            return 0
        end = self._spool.read(companion, max(0, size - 100), 100)
        try:
            return int(end.split(b"\n")[-2].split()[1]) if end.endswith(b"\n") else self._start_over(companion)
        except (IndexError, ValueError):
            return self._start_over(companion)

    def _start_over(self, companion: str) -> int:
        """The companion's end is torn, by a crash or a full disk: what follows is whole lines from 0 again."""
        self._spool.append(companion, b"\n%d 0\n" % self._now())
        return 0
