"""A child task that is open on a host which is gone, and that the hub will never free.

The hub frees what its scheduler assigned when the host is silent for HostTimeout (900 s). A task that its host opened by
itself (`self_assign`, here or in another builder) has no run entry and would stay OPEN until an admin frees it; its
parent would wait for ever.
"""

from __future__ import annotations

from typing import Any

import koji

SILENT_SECONDS = 900.0
"""The hub's stock HostTimeout."""


def stranded(session: Any, task_id: int, now: float) -> str | None:
    """Return the sentence that says why `task_id` will never end; None: it may, or is the hub's business.

    `now`: seconds since the epoch, by a clock that agrees with the hub's within minutes.
    """
    info = session.getTaskInfo(task_id)
    if not info or info["state"] != koji.TASK_STATES["OPEN"] or info["host_id"] is None:
        return None
    heard = session.getLastHostUpdate(info["host_id"], ts=True)
    silent = SILENT_SECONDS + 1 if heard is None else now - float(heard)
    if silent <= SILENT_SECONDS or session.scheduler.getTaskRuns([["task_id", "=", task_id], ["active", "=", True]]):
        return None
    host = session.getHost(info["host_id"]) or {"name": f"of id {info['host_id']}"}
    since = "has never been heard of" if heard is None else f"has been silent for {silent:.0f} s"
    return (
        f"Task {task_id} ({info['method']}) is open on host {host['name']}, which {since}, and the hub will not free it: "
        "it has no run entry. Free or cancel it once the host is known to be dead."
    )
