"""What the hub's open tasks mean for ours."""

from __future__ import annotations

from typing import Any

import koji
import pytest

from koji_adjutant.manager.open_tasks import Comparison, Fate, OpenTask, compare, fate_of

STATE = koji.TASK_STATES


def test_rows_are_sorted_into_acts() -> None:
    """Load of ours that do not wait, parents to wake, vanished ones, stale ones."""
    rows = [
        OpenTask(1, weight=1.5),
        OpenTask(2, waiting=True, weight=0.2, alert=True),
        OpenTask(3, waiting=True, weight=0.2),
        OpenTask(9, weight=4.0, alert=True),
    ]
    assert compare(rows, [1, 2, 3, 4]) == Comparison(load=1.5, wake=(2,), vanished=(4,), stale=(9,))


def test_hub_row_is_read() -> None:
    """A row without `alert` has none; a missing weight counts nothing."""
    assert OpenTask.from_row({"id": 5, "waiting": None, "weight": None}) == OpenTask(5, weight=0.0)
    assert OpenTask.from_row({"id": 5, "waiting": True, "weight": 2, "alert": True}).alert


@pytest.mark.parametrize(
    ("info", "fate"),
    [
        (None, Fate.REASSIGNED),
        ({"state": STATE["CANCELED"], "host_id": 7}, Fate.CANCELED),
        ({"state": STATE["CANCELED"], "host_id": None}, Fate.CANCELED),
        ({"state": STATE["OPEN"], "host_id": 8}, Fate.REASSIGNED),
        ({"state": STATE["FREE"], "host_id": None}, Fate.REASSIGNED),
        ({"state": STATE["ASSIGNED"], "host_id": 7}, Fate.REASSIGNED),
        ({"state": STATE["CLOSED"], "host_id": 7}, Fate.ENDED),
        ({"state": STATE["FAILED"], "host_id": 7}, Fate.ENDED),
        ({"state": STATE["OPEN"], "host_id": 7}, Fate.OURS),
    ],
)
def test_fate_of_a_vanished_task(info: dict[str, Any] | None, fate: Fate) -> None:
    """State and host decide; a task assigned to us again is another run."""
    assert fate_of(info, 7) is fate
