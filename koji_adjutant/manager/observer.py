"""Looks at the machine and the runtime for the readiness checks; the runtime is not asked on every pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from koji_adjutant.container.interface import ContainerManager, RuntimeHealth
from koji_adjutant.errors import ContainerError
from koji_adjutant.manager.clock import Clock
from koji_adjutant.manager.readiness import Machine, observe_machine

log = structlog.get_logger(__name__)

RUNTIME_INTERVAL = 30.0
"""Seconds for which an answer of the runtime counts."""


def storage_path(runtime: ContainerManager) -> Path | None:
    """Return where a runtime of this machine keeps images and containers, if it has such a place and says so.

    The attribute is asked for: from Python 3.12 on `isinstance` with a protocol does not see through a wrapper.
    """
    ask: Callable[[], Path | None] | None = getattr(runtime, "storage_path", None)
    return None if ask is None else ask()


@dataclass
class Observer:
    """Makes observations for `readiness.judge`. Used by the main loop; `machine` may be called by any thread.

    `paths`: file systems that need `minspace`. `local`: builds run on this machine, so its load and storage count.
    """

    runtime: ContainerManager
    paths: Sequence[Path]
    clock: Clock
    local: bool = True
    health: RuntimeHealth | None = None
    """The runtime's last answer."""
    _asked_at: float | None = None
    _problem: str = ""
    _storage: Path | None = None

    def machine(self) -> Machine:
        """Look at disks, load and memory only."""
        paths = [*self.paths, *([self._storage] if self._storage else [])]
        return observe_machine(paths, local=self.local)

    def observe(self) -> Machine:
        """Look at everything."""
        self._ask_runtime()
        return replace(self.machine(), runtime_problem=self._problem)

    def _ask_runtime(self) -> None:
        now = self.clock.monotonic()
        if self._asked_at is not None and now - self._asked_at < RUNTIME_INTERVAL:
            return
        self._asked_at = now
        try:
            self.health = self.runtime.health_check()
            if self.local and self._storage is None:
                self._storage = storage_path(self.runtime)
        except ContainerError as error:
            self._problem = f"Container runtime: {error.brief}"
            log.warning("runtime.unhealthy", error=str(error))
        else:
            self._problem = ""
