"""The state is a word and a sentence; each reason that the manager gives has its advice."""

from __future__ import annotations

import pytest

from koji_adjutant.manager.check_in import LOOP_PATIENCE, STARTING, Report, what_to_say
from koji_adjutant.manager.readiness import DiskSpace, HostState, Limits, Machine, reasons
from koji_adjutant.monitoring.advice import advice, state_of
from koji_adjutant.monitoring.view import DaemonView
from tests.support.daemon_view import view


@pytest.mark.parametrize(
    ("seen", "state", "summary"),
    [
        (view(adopted=False), "starting", "Tasks of the daemon before"),
        (
            view(check_in_age=200.0, check_in_trouble="refused"),
            "cut off",
            "The hub has answered not for 200 s. refused",
        ),
        (view(check_in_age=None), "cut off", "The hub has answered never."),
        (view(draining=True), "draining", "No new task is taken; 2 tasks run."),
        (view(ready=False, reason="Full queue"), "not ready", "Full queue."),
        (view(tasks=()), "idle", "Ready: the hub has no task for this host just now."),
        (view(), "busy", "Ready for more; 2 tasks run here."),
    ],
)
def test_states(seen: DaemonView, state: str, summary: str) -> None:
    """What is most wrong comes first."""
    assert state_of(seen)[0] == state
    assert state_of(seen)[1].startswith(summary)


def test_every_reason_has_advice() -> None:
    """None is left to be guessed."""
    host = HostState(enabled=False, capacity=1.0, task_load=2.0, open_tasks=3, restart_pending=True, stopping=True)
    machine = Machine((DiskSpace("/a", None), DiskSpace("/b", 1)), 99.0, 1, 1, "Container runtime: away")
    found = [*reasons(host, machine, Limits(maxjobs=3, minspace=5, minmemory=5)), STARTING.reason]
    found.append(what_to_say(Report(), LOOP_PATIENCE + 1).reason)
    assert len(found) == 12
    assert [reason for reason in found if not advice(reason)] == []
