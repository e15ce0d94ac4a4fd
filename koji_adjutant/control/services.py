"""What the commands of the control socket work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from koji_adjutant.manager.host_manager import HostManager
from koji_adjutant.manager.parts import Parts
from koji_adjutant.monitoring.view import DaemonView


@dataclass(frozen=True)
class Services:
    """One daemon. Everything here may be used by any thread, as far as its own text says."""

    look: Callable[[], DaemonView]
    manager: HostManager
    parts: Parts
