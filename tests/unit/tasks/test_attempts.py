"""Another try on this host: before the spec runs for all that may pass, afterwards once for a lost container."""

import pytest

from koji_adjutant.buildroot.faults import BuildFault, InfrastructureFault
from koji_adjutant.errors import ContainerError, ContainerLost, ImageError, OutOfMemory, RuntimeUnavailable
from koji_adjutant.tasks.attempts import ATTEMPTS, Retry, backoff, retry

DOWNLOAD = InfrastructureFault("no metadata", reason="metadata", final=BuildFault("x"))
LOST = ContainerLost("gone")


@pytest.mark.parametrize(
    ("error", "spec_ran", "lost_before", "expected"),
    [
        (RuntimeUnavailable("away"), False, False, Retry.YES),
        (LOST, False, False, Retry.YES),
        (DOWNLOAD, False, False, Retry.YES),
        (DOWNLOAD, True, True, Retry.YES),
        (LOST, True, False, Retry.LAST),
        (LOST, True, True, Retry.NO),
        (RuntimeUnavailable("away"), True, False, Retry.NO),
        (ImageError("denied"), False, False, Retry.NO),
        (ContainerError("odd"), False, False, Retry.NO),
        (InfrastructureFault("full", reason="disk-full", final=BuildFault("x")), False, False, Retry.NO),
        (OutOfMemory("limit", retryable=True), False, False, Retry.NO),
    ],
)
def test_what_may_be_tried_again(error, spec_ran, lost_before, expected):
    """The table of design section 7."""
    assert retry(error, 1, spec_ran=spec_ran, lost_before=lost_before) is expected


def test_there_is_a_last_attempt():
    """After so many attempts the task is given back, whatever went wrong."""
    assert retry(DOWNLOAD, ATTEMPTS, spec_ran=False, lost_before=False) is Retry.NO


def test_the_pause_grows_and_stays_bounded():
    """Each pause is at least the one before; the last one stands for all later ones."""
    pauses = [backoff(attempt) for attempt in range(1, 6)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == pauses[-2]
