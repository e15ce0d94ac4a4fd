"""Work beside other work."""

from __future__ import annotations

import threading

import pytest

from koji_adjutant.tasks.background import in_background


def test_work_is_done_beside_the_caller() -> None:
    """It may wait for something that its beginner does later."""
    later = threading.Event()
    future = in_background("beside", lambda: later.wait(20))
    later.set()
    assert future.result(20)


def test_what_work_raises_comes_with_its_result() -> None:
    """Also what is no Exception: nothing ends unseen in a thread."""

    def work() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        in_background("beside", work).result(20)
