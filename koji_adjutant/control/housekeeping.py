"""Commands about the daemon as a whole: status, drain, resume, sweep."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from koji_adjutant.control.protocol import ControlError
from koji_adjutant.control.server import Call
from koji_adjutant.control.services import Services
from koji_adjutant.manager.drain import Drain

SWEEP_SECONDS = 120.0


def status(services: Services, _call: Call) -> dict[str, Any]:
    """Return the view of the daemon, and what only concerns people on this machine."""
    view = services.look()
    shared = services.parts.starter.shared
    return {
        **view.document(),
        "healthy": view.healthy,
        "adopted": view.adopted,
        "drain": _drain_data(services.parts.drain.drain),
        "pid": os.getpid(),
        "runtime_version": shared.runtime_version,
    }


def drain(services: Services, call: Call, *, reason: str) -> dict[str, Any]:
    """Take no new task until `resume`."""
    made = services.parts.drain.set(call.peer.name, " ".join(reason.split()), services.parts.clock.time())
    services.manager.hasten()
    return {"drain": _drain_data(made), **_running(services)}


def resume(services: Services, call: Call) -> dict[str, Any]:
    """Lift a drain."""
    lifted = services.parts.drain.lift(call.peer.name)
    services.manager.hasten()
    return {"lifted": _drain_data(lifted)}


def sweep(services: Services, _call: Call, *, dry_run: bool) -> dict[str, Any]:
    """Remove leftovers, or say which would go.

    Raises:
        ControlError: adoption has not ended.
        ContainerTimeout: the sweep's thread is busy.
        What hub and runtime raise; nothing is removed then.
    """
    if not services.manager.adopted:
        raise ControlError(
            "nothing is swept before the tasks of the last daemon are adopted",
            resolution="Try again when `koji-adjutant status` no longer says that the daemon starts up.",
        )
    sweeper = services.parts.sweeper
    act = sweeper.preview if dry_run else sweeper.sweep
    found = sweeper.do(lambda _: act(), SWEEP_SECONDS)
    return {"dry_run": dry_run, "leftovers": [asdict(leftover) for leftover in found]}


def _running(services: Services) -> dict[str, Any]:
    tasks = services.parts.table.all()
    waiting = sum(bool(task.context.awaited) for task in tasks)
    return {"running": len(tasks) - waiting, "waiting": waiting}


def _drain_data(drain: Drain | None) -> dict[str, Any] | None:
    return None if drain is None else asdict(drain)
