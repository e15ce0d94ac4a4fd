"""Time as the manager sees it: injected, so that tests decide what time it is and nobody sleeps in them."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the manager asks about time. Thread-safe."""

    def time(self) -> float:
        """Unix time, as labels and the hub use it."""

    def monotonic(self) -> float:
        """Seconds that never go back, for deadlines."""

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set or `timeout` seconds have passed; return whether it is set."""


class SystemClock:
    """The machine's clock."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.wait(max(0.0, timeout))
