"""Check-ins go on whatever the main loop does (design section 8)."""

from __future__ import annotations

from typing import Any

import pytest

from koji_adjutant.errors import HubError, SessionLost
from koji_adjutant.manager.check_in import CheckIn, Report, what_to_say
from koji_adjutant.manager.readiness import Readiness
from tests.support.manager_fakes import FakeHub, FakeSession, SteppingClock

READY = Readiness(ready=True)


@pytest.mark.parametrize(("silence", "ready"), [(0.0, True), (180.0, True), (180.1, False)])
def test_silent_loop_is_not_ready(silence: float, ready: bool) -> None:
    """A main loop that has not passed for 180 s makes the host not ready, with the reason."""
    said = what_to_say(Report(READY, 1.5), silence)
    assert said.ready is ready
    assert ("has not passed" in said.reason) is not ready


def made(hub: FakeHub, clock: SteppingClock) -> tuple[CheckIn, list[BaseException]]:
    """Make a check-in that is not started."""
    fatal: list[BaseException] = []
    session: Any = FakeSession(hub)
    return CheckIn(session, clock, lambda: 60.0, {"methods": ["sleep"], "maxjobs": 3}, fatal.append), fatal


def test_host_data_goes_along(hub: FakeHub) -> None:
    """Load, readiness and host data are what the scheduler gets."""
    check_in, _ = made(hub, SteppingClock())
    check_in.publish(READY, 1.5)
    check_in.say()
    assert hub.calls == [("host.updateHost", (1.5, True), {"data": {"methods": ["sleep"], "maxjobs": 3}})]


def test_repeats_every_interval(hub: FakeHub) -> None:
    """Without news the hub hears from us at each interval."""
    clock = SteppingClock()
    check_in, _ = made(hub, clock)
    check_in.start()
    assert hub.wait_for(lambda: len(hub.said) == 1)
    clock.step()
    assert hub.wait_for(lambda: len(hub.said) == 2)
    assert clock.waits[0] == 60.0
    check_in.halt()


def test_change_of_readiness_is_told_at_once(hub: FakeHub) -> None:
    """Ready or not is told without waiting for the clock; another reason for the same is not worth a call."""
    clock = SteppingClock()
    check_in, _ = made(hub, clock)
    check_in.start()
    assert hub.wait_for(lambda: hub.said == [(0.0, False)])
    check_in.publish(Readiness(ready=False, reason="Full queue"), 2.0)
    check_in.publish(READY, 1.0)
    assert hub.wait_for(lambda: hub.said == [(0.0, False), (1.0, True)])
    check_in.halt()


def test_trouble_is_survived(hub: FakeHub) -> None:
    """A call that fails is repeated after a growing pause."""
    clock = SteppingClock()
    check_in, fatal = made(hub, clock)

    def away(*_: Any) -> None:
        raise HubError("away", retryable=True)

    hub.before["host.updateHost"] = away
    check_in.start()
    clock.step()
    clock.step()
    del hub.before["host.updateHost"]
    assert hub.wait_for(lambda: len(hub.said) == 1)
    clock.step()
    assert clock.waits[:3] == [2.0, 4.0, 60.0]
    assert fatal == []
    check_in.halt()


def test_lost_session_is_reported(hub: FakeHub) -> None:
    """The main loop hears that another daemon owns the name."""
    check_in, fatal = made(hub, SteppingClock())

    def lost(*_: Any) -> None:
        raise SessionLost("gone")

    hub.before["host.updateHost"] = lost
    check_in._run()
    assert [type(error) for error in fatal] == [SessionLost]


def test_last_words(hub: FakeHub) -> None:
    """`finish` says not ready and ends the thread."""
    check_in, _ = made(hub, SteppingClock())
    check_in.start()
    assert hub.wait_for(lambda: len(hub.said) == 1)
    assert check_in.finish(2.5, "Stopped", timeout=10.0)
    assert hub.said[-1] == (2.5, False)


def test_who_is_told(hub: FakeHub) -> None:
    """An answered check-in is told, a failed one is not; passes of the main loop are told at once."""
    clock, told = SteppingClock(), []
    check_in, _ = made(hub, clock)
    check_in.on_answer, check_in.on_pass = lambda: told.append("answer"), lambda: told.append("pass")

    def away(*_: Any) -> None:
        raise HubError("away", retryable=True)

    hub.before["host.updateHost"] = away
    check_in.start()
    clock.step()
    assert told == []
    check_in.passed()
    del hub.before["host.updateHost"]
    assert hub.wait_for(lambda: len(hub.said) == 1)
    clock.step()
    assert told == ["pass", "answer"]
    check_in.halt()
