"""What takes time is looked at beside, and seldom."""

from __future__ import annotations

from koji_adjutant.buildroot.prepared import PreparedImage
from koji_adjutant.errors import RuntimeUnavailable
from koji_adjutant.manager.readiness import DiskSpace, Machine
from koji_adjutant.monitoring.survey import IMAGES_SECONDS, Survey
from tests.support.manager_fakes import FakeClock


def test_images_are_asked_for_now_and_then() -> None:
    """A runtime that is away keeps what was seen, and is named; it is asked again when it is time."""
    answers: list[list[PreparedImage] | RuntimeUnavailable] = [
        [PreparedImage("a:1", 1, 1.0, 1.0)],
        RuntimeUnavailable("no socket"),
        [],
    ]

    def images() -> list[PreparedImage]:
        answer = answers.pop(0)
        if isinstance(answer, RuntimeUnavailable):
            raise answer
        return answer

    clock = FakeClock()
    survey = Survey(lambda: Machine(disks=(DiskSpace("/x", 5),)), images, clock.monotonic)
    survey.look()
    survey.look()
    assert (survey.machine.disks[0].free_mb, len(survey.images), len(answers)) == (5, 1, 2)
    clock.now += IMAGES_SECONDS
    survey.look()
    assert (len(survey.images), survey.images_problem) == (1, "no socket")
    clock.now += IMAGES_SECONDS
    survey.look()
    assert (survey.images, survey.images_problem) == ((), "")
