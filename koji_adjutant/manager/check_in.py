"""Tells the hub that this host lives, whatever the main loop is busy with (design section 8).

180 s without `updateHost` stop the assignment of tasks, 900 s free the open ones (contract 2.4). So this has a thread and a
session of its own and goes on while tasks run, while the daemon drains and while the main loop hangs; then it says
`ready=False`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.manager.clock import Clock
from koji_adjutant.manager.loop_errors import Reaction, rule_for
from koji_adjutant.manager.pacing import back_off
from koji_adjutant.manager.readiness import Readiness

log = structlog.get_logger(__name__)

CALL_TIMEOUT = 30.0
"""Seconds for one call of the check-in session."""
STARTING = Readiness(ready=False, reason="Starting up")
LOOP_PATIENCE = 180.0
"""Seconds without a pass of the main loop after which the host is said not to be ready."""


@dataclass(frozen=True)
class Report:
    """What the main loop last found."""

    readiness: Readiness = STARTING
    load: float = 0.0


def what_to_say(report: Report, loop_silence: float) -> Readiness:
    """Return what the hub is told, given the seconds since the main loop's last pass."""
    if loop_silence > LOOP_PATIENCE:
        return Readiness(ready=False, reason=f"The main loop has not passed for {loop_silence:.0f} seconds")
    return report.readiness


def _nothing() -> None:
    """Do nothing: nobody watches."""


@dataclass
class CheckIn:
    """The check-in thread. `publish`, `finish` and `halt` may be called by any thread."""

    session: AdjutantSession
    """Made with `timeout=CALL_TIMEOUT, max_retries=0` and an interrupt of its own: the thread does its own pacing."""
    clock: Clock
    interval: Callable[[], float]
    host_data: Mapping[str, Any]
    on_fatal: Callable[[BaseException], None]
    on_answer: Callable[[], None] = _nothing
    """Called after each answered check-in."""
    on_pass: Callable[[], None] = _nothing
    """Called after each pass of the main loop, by its thread (watchdog of systemd)."""
    said_at: float | None = None
    """Monotonic time of the last answer; None before the first."""
    said: Readiness = STARTING
    trouble: str = ""
    """Why the hub has not answered the last check-in; empty when it has."""
    _report: Report = Report()
    _passed_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _wake: threading.Event = field(default_factory=threading.Event)
    _last_words: bool = False
    _halted: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._passed_at = self.clock.monotonic()

    def start(self) -> None:
        threading.Thread(target=self._run, name="check-in", daemon=True).start()

    def passed(self) -> None:
        """The main loop has made a pass."""
        with self._lock:
            self._passed_at = self.clock.monotonic()
        self.on_pass()

    def publish(self, readiness: Readiness, load: float) -> None:
        """Take the main loop's findings; a change of readiness is told at once, the rest with the next check-in."""
        with self._lock:
            changed = readiness.ready != self._report.readiness.ready
            news = readiness.reason != self._report.readiness.reason
            self._report = Report(readiness, load)
        if news or changed:
            log.info("host.readiness_changed", ready=readiness.ready, reason=readiness.reason)
        if changed:
            self._wake.set()

    @property
    def load(self) -> float:
        """The load that was last published."""
        with self._lock:
            return self._report.load

    def finish(self, load: float, reason: str, timeout: float) -> bool:
        """Say `ready=False` once more and end; return whether the hub has heard it within `timeout` seconds."""
        with self._lock:
            self._report = Report(Readiness(ready=False, reason=reason), load)
            self._last_words = True
        self._wake.set()
        heard = self.clock.wait(self._ended, timeout)
        self.halt()
        return heard

    def halt(self) -> None:
        """End without another word; a call under way is interrupted."""
        self._halted.set()
        self.session.interrupt.set()
        self._wake.set()

    def say(self) -> Readiness:
        """Check in once; raises what the hub raises."""
        with self._lock:
            report, silence = self._report, self.clock.monotonic() - self._passed_at
        said = what_to_say(report, silence)
        self.session.host.updateHost(report.load, said.ready, data=dict(self.host_data))
        self.said, self.said_at, self.trouble = said, self.clock.monotonic(), ""
        return said

    def _run(self) -> None:
        failures = 0
        while not self._halted.is_set():
            self._wake.clear()
            with self._lock:
                last = self._last_words
            try:
                self.say()
            except BaseException as error:  # noqa: BLE001 - top of the thread: check-ins must go on
                failures += 1
                if self._halted.is_set() or self._ends(error):
                    return
                pause = back_off(failures)
            else:
                self.on_answer()
                failures, pause = 0, self.interval()
                if last:
                    self._ended.set()
                    return
            # The silence of the main loop has to be noticed even when nobody wakes us.
            self.clock.wait(self._wake, pause)

    def _ends(self, error: BaseException) -> bool:
        rule = rule_for(error)
        self.trouble = str(error)
        log.warning("host.check_in_failed", error=str(error), kind=type(error).__name__)
        if rule.reaction is Reaction.ABANDON:
            self.on_fatal(error)
            return True
        return False
