"""Whose fault it is: infrastructure failures go back softly until they fail elsewhere too (design section 7)."""

from __future__ import annotations

import pytest

from koji_adjutant.errors import (
    CapabilityMissing,
    ContainerError,
    ContainerLost,
    ContainerNotFound,
    ContainerTimeout,
    CopyError,
    DiskFull,
    ExecError,
    ImageError,
    OutOfMemory,
    RuntimeUnavailable,
)
from koji_adjutant.manager.verdict_policy import (
    HERE_LIMIT,
    Refusal,
    Verdict,
    judge,
    refusal_message,
)
from koji_adjutant.tasks.given_back import is_infrastructure


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ImageError("x", reason="missing"), True),
        (ImageError("x", reason="pull-failed", retryable=True), True),
        (RuntimeUnavailable("x"), True),
        (CapabilityMissing("x"), True),
        (ContainerLost("x", reason="node-lost"), True),
        (OutOfMemory("x"), False),
        (ExecError("x", reason="unknown-end", retryable=True), False),
        (DiskFull("x"), True),
        (CopyError("x", reason="disk-full"), True),
        (ContainerTimeout("x"), False),
        (CopyError("x", reason="missing"), False),
        (ContainerNotFound("x"), False),
    ],
)
def test_infrastructure_is_told_from_the_packagers(error: ContainerError, expected: bool) -> None:
    """Pull, runtime and lost nodes are ours; memory, time and missing files are the task's."""
    assert is_infrastructure(error) is expected


@pytest.mark.parametrize(
    ("refusals", "here", "verdict"),
    [
        ([], 0, Verdict.REFUSE),
        ([Refusal(8, "image")], 0, Verdict.FAIL),
        ([Refusal(8, "other")], 0, Verdict.REFUSE),
        ([Refusal(8, "image", by_host=False)], 0, Verdict.REFUSE),
        ([Refusal(7, "image")], 0, Verdict.REFUSE),
        ([], HERE_LIMIT - 1, Verdict.REFUSE),
        ([], HERE_LIMIT, Verdict.FAIL),
    ],
)
def test_verdict(refusals: list[Refusal], here: int, verdict: Verdict) -> None:
    """Another host with the same reason, or a few refusals here, fail the task."""
    assert judge("image", 7, refusals, here) is verdict


def test_reason_survives_the_hub() -> None:
    """The reason code can be read back from the message another host left at the hub."""
    message = refusal_message("denied", "cannot pull x:\n denied")
    assert message == "denied: cannot pull x: denied"
    assert Refusal.from_row({"host_id": 8, "msg": message, "by_host": True}) == Refusal(8, "denied")
    assert Refusal.from_row({"host_id": 8, "msg": None}).reason == ""
