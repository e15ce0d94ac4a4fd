"""What one host's manager works with, and how its main loop ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from koji_adjutant.container.interface import RuntimeHealth
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.manager.adopter import Adopter
from koji_adjutant.manager.cancel import Canceller
from koji_adjutant.manager.check_in import CheckIn
from koji_adjutant.manager.clock import Clock
from koji_adjutant.manager.drain import DrainSwitch
from koji_adjutant.manager.history import TaskHistory
from koji_adjutant.manager.loop_errors import Reaction
from koji_adjutant.manager.pacing import Pace
from koji_adjutant.manager.readiness import Limits, Machine
from koji_adjutant.manager.running import TaskTable
from koji_adjutant.manager.starter import TaskStarter
from koji_adjutant.manager.sweeper import Sweeper
from koji_adjutant.manager.task_containers import TaskContainers


@dataclass(frozen=True)
class LoopEnd:
    """Why the main loop ended. `error` is set for ABANDON; `by_task`: a `shutdown` task asked for it."""

    reaction: Reaction
    text: str
    error: BaseException | None = None
    by_task: bool = False


@dataclass(frozen=True)
class Parts:
    """What the manager works with; put together by `assembly`."""

    session: AdjutantSession
    clock: Clock
    wake: threading.Event
    """Ends the main loop's pause; set by ended tasks and by requests."""
    table: TaskTable
    starter: TaskStarter
    adopter: Adopter
    containers: TaskContainers
    canceller: Canceller
    check_in: CheckIn
    sweeper: Sweeper
    drain: DrainSwitch
    observe: Callable[[], Machine]
    """For the main loop, the runtime included."""
    machine: Callable[[], Machine]
    """For anybody: disks, load and memory."""
    pace: Callable[[], Pace]
    limits: Limits
    history: TaskHistory
    health: Callable[[], RuntimeHealth | None]
    """The runtime's last answer; None before the first."""
    on_adopted: Callable[[], None]
    """Called once, when adoption has ended and the loop begins to take tasks."""
