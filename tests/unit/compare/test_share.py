"""What counts as lost or run twice."""

import koji

from tests.compare.share import problems

CLOSED, FAILED = koji.TASK_STATES["CLOSED"], koji.TASK_STATES["FAILED"]


def row(task_id, state=CLOSED):
    """A task."""
    return {"id": task_id, "method": "buildArch", "state": state}


def test_a_closed_task_of_one_run_is_right():
    """One run, or none where a host took the task by itself."""
    assert list(problems([row(1), row(2)], {1: [{"host_id": 3}]})) == []


def test_what_is_wrong():
    """A task that did not end well, and one that was given out twice, are named."""
    runs = {1: [], 2: [{"host_id": 3}, {"host_id": 4}]}
    assert list(problems([row(1, FAILED), row(2)], runs)) == [
        "task 1 (buildArch) is FAILED",
        "task 2 (buildArch) was given out 2 times, to hosts [3, 4]",
    ]
