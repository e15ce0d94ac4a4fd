"""A view of a daemon that does its work."""

from __future__ import annotations

from typing import Any

from koji_adjutant.manager.readiness import DiskSpace
from koji_adjutant.monitoring.view import DaemonView, RunningView


def view(**changed: Any) -> DaemonView:
    """Two tasks run, the hub has just been heard, one disk cannot be looked at."""
    known: dict[str, Any] = {
        "host": "builder",
        "hub": "http://hub.example.com/kojihub",
        "version": "1.2",
        "ready": True,
        "reason": "",
        "load": 1.5,
        "check_in_age": 3.0,
        "draining": False,
        "adopted": True,
        "tasks": (
            RunningView(7, "buildArch", 1000.0, waiting=False, adopted=False),
            RunningView(8, "build", 1001.0, waiting=True, adopted=True),
        ),
        "disks": (DiskSpace("/state", 9000), DiskSpace("/gone", None)),
    }
    return DaemonView(**known | changed)
