"""When a parent gives up a child whose host is gone."""

from types import SimpleNamespace

import koji
import pytest

from koji_adjutant.tasks.stranded import stranded

NOW = 1_000_000.0


def session(state="OPEN", heard=NOW - 1000, runs=()):
    """A hub with one task on host 3."""
    info = {"id": 8, "method": "buildArch", "state": koji.TASK_STATES[state], "host_id": 3}
    return SimpleNamespace(
        getTaskInfo=lambda task_id: info,
        getLastHostUpdate=lambda host_id, ts: heard,
        getHost=lambda host_id: {"id": host_id, "name": "builder9"},
        scheduler=SimpleNamespace(getTaskRuns=lambda clauses: list(runs)),
    )


def test_a_task_on_a_silent_host_without_run_entry():
    """Child and host are named, and how long nothing was heard."""
    assert stranded(session(), 8, NOW) == (
        "Task 8 (buildArch) is open on host builder9, which has been silent for 1000 s, and the hub will not free it: "
        "it has no run entry. Free or cancel it once the host is known to be dead."
    )


@pytest.mark.parametrize(
    "alive",
    [
        session(heard=NOW - 900),
        session(state="FREE"),
        session(state="CLOSED"),
        session(runs=[{"id": 1, "host_id": 3}]),
    ],
)
def test_everything_else_is_waited_for(alive):
    """A host heard of within 900 s, a task that is not open, and one the hub itself will free."""
    assert stranded(alive, 8, NOW) is None
