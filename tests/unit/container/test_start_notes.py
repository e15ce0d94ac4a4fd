"""What a start waits for reaches who asked for it, and nobody else."""

from __future__ import annotations

import threading

from koji_adjutant.container.start_notes import heard_by, say


def test_only_the_thread_that_listens_hears() -> None:
    """Before and after nothing is heard, nor what another thread's containers wait for."""
    heard: list[str] = []
    say("before")
    with heard_by(heard.append):
        other = threading.Thread(target=say, args=("other",))
        other.start()
        other.join()
        say("quota")
        say("")
    say("after")
    assert heard == ["quota", ""]


def test_an_inner_listener_stands_before_an_outer_one() -> None:
    """And the outer one hears again after it."""
    inner: list[str] = []
    outer: list[str] = []
    with heard_by(outer.append):
        with heard_by(inner.append):
            say("inside")
        say("outside")
    assert (inner, outer) == (["inside"], ["outside"])
