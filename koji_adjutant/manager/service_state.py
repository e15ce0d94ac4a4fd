"""What systemd is told: ready with the first check-in, a status line, and by the main loop that it passes (watchdog)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from koji_adjutant.manager.notify import ServiceNotifier
from koji_adjutant.manager.readiness import Readiness

PATIENCE = 120.0
"""Seconds that each pass of a draining daemon asks for: two passes are never so far apart."""


@dataclass(frozen=True)
class ServiceView:
    """One look at the daemon."""

    said: Readiness
    """What the hub was last told."""
    running: int
    waiting: int
    """Of `running`: parents that only wait for children."""
    adopted: bool
    """What the last daemon left has been looked through."""
    ending: bool
    """No more tasks are taken: it stops or restarts when none runs."""


def status_text(host: str, view: ServiceView) -> str:
    """Return one line for `systemctl status` (pure)."""
    if not view.adopted:
        state = "looking through what its predecessor left"
    elif view.ending:
        state = "takes no more tasks and ends when none runs"
    elif view.said.ready:
        state = "taking tasks"
    else:
        state = f"not taking tasks: {view.said.reason}"
    waiting = f", {view.waiting} of them waiting for children" if view.waiting else ""
    return f"{host}: {state}; {view.running} running{waiting}"


class ServiceState:
    """Tells systemd. `look` is called by the main loop's thread only; `checked_in` by the check-in thread."""

    def __init__(self, notifier: ServiceNotifier, host: str, look: Callable[[], ServiceView]) -> None:
        self._notifier = notifier
        self._host = host
        self._look = look
        self._ready = threading.Event()
        self._told = ""

    def checked_in(self) -> None:
        """The hub has answered a check-in: with the first one the service has started."""
        if not self._ready.is_set():
            self._ready.set()
            self._notifier.ready()

    def passed(self) -> None:
        """The main loop has made a pass, whatever came of it."""
        self._notifier.alive()
        view = self._look()
        text = status_text(self._host, view)
        if text != self._told:
            self._told = text
            self._notifier.status(text)
        if view.ending:
            self._notifier.more_time(PATIENCE)

    def waiting_for_hub(self) -> None:
        """A call of the main loop is about to be repeated: a hub that is away for hours is no hang of ours."""
        self._notifier.alive()
