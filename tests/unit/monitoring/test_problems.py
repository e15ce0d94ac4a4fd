"""The last warnings and errors are remembered as the log has them, without secrets."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from koji_adjutant.errors import HubError
from koji_adjutant.logs import configure_logging
from koji_adjutant.monitoring.problems import KEEP, RecentProblems


@pytest.fixture
def problems() -> Iterator[RecentProblems]:
    """What a daemon with this log remembers."""
    configure_logging()
    handler = RecentProblems()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def test_an_error_is_remembered_with_its_remedy(problems: RecentProblems) -> None:
    """Event, task, text and what else was said; what is no trouble is not there."""
    log = structlog.get_logger("koji_adjutant.test")
    error = HubError("the hub is away", resolution="Wait for it.")
    log.info("nothing.special")
    log.warning("hub.away", error=str(error), task_id=7, method="build", password="secret")
    (found,) = problems.last()
    assert (found.level, found.event, found.task_id) == ("warning", "hub.away", 7)
    assert found.text == "the hub is away\nWait for it.\nmethod: build\npassword: ***"


def test_what_repeats_is_counted(problems: RecentProblems) -> None:
    """A hub that is away for an hour is one problem; another one comes first."""
    log = structlog.get_logger("koji_adjutant.test")
    for _ in range(3):
        log.warning("hub.away", error="x")
    logging.getLogger("koji").error("failed at %s", "https://me:secret@host/")
    latest, earlier = problems.last()
    assert (latest.event, latest.text) == ("koji", "failed at https://***@host/")
    assert (earlier.event, earlier.times) == ("hub.away", 3)


def test_only_the_last_are_kept(problems: RecentProblems) -> None:
    """However many there are."""
    log = structlog.get_logger("koji_adjutant.test")
    for number in range(KEEP + 5):
        log.warning("a.problem", error=str(number))
    assert len(problems.last()) == KEEP
    assert problems.last()[0].text == str(KEEP + 4)
