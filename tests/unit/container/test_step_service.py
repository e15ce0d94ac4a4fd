"""Starting and cancelling over a runtime whose answers get lost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.container.interface import ContainerHandle, ContainerRunResult, ContainerState, ContainerStatus
from koji_adjutant.container.step_service import ContainerSteps
from koji_adjutant.container.steps import StepSpec
from koji_adjutant.errors import ContainerLost, DiskFull, ExecError, RuntimeUnavailable

TASK = ContainerHandle("1", "c-task", "memory")
RUN = "0123456789abcdef" * 2
STARTED = ContainerRunResult(0, f"started {RUN}\n".encode())
EXISTS = ContainerRunResult(0, f"exists {RUN}\n".encode())
DAMAGED = ContainerRunResult(65, b"", b"the request did not arrive whole")
REFUSED = ContainerRunResult(71, b"", b"cannot make the directory")
FULL = ContainerRunResult(73, b"", b"cannot start /run/adjutant/steps/s: No space left on device")
BROKEN = ExecError("the stream broke", reason="unknown-end", retryable=True)
NOT_STARTED = ExecError("no such program", reason="not-started")
RUNNING = ContainerState(ContainerStatus.RUNNING)


class Runtime:
    """Answers execs in the order of a script; a clock that sleeping advances."""

    def __init__(self, answers: Iterable[Any], state: ContainerState = RUNNING) -> None:
        self.answers = list(answers)
        self.states = state
        self.now = 0.0
        self.calls: list[tuple[list[str], bytes]] = []

    def exec(
        self, handle: ContainerHandle, argv: list[str], *, stdin: bytes = b"", **options: Any
    ) -> ContainerRunResult:
        self.calls.append((argv, stdin))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, ContainerRunResult)
        return answer

    def state(self, handle: ContainerHandle) -> ContainerState:
        return self.states

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def service(self) -> ContainerSteps:
        world: Any = self
        return ContainerSteps(world, TASK, None, patience=50.0, clock=lambda: self.now, sleep=self.sleep)


@pytest.mark.parametrize(
    "answers",
    [
        [STARTED],
        [EXISTS],
        [BROKEN, EXISTS],
        [DAMAGED, STARTED],
        [ContainerRunResult(0, b""), EXISTS],
        [RuntimeUnavailable("away"), BROKEN, DAMAGED, EXISTS],
    ],
)
def test_lost_answers_are_asked_for_again(answers: list[Any]) -> None:
    """The launch is repeated as it was until the run id is known."""
    runtime = Runtime(answers)
    calls = len(answers)
    assert runtime.service().start(TASK, StepSpec("s", ["true"])) == RUN
    assert len(runtime.calls) == calls
    assert len({(tuple(argv), stdin) for argv, stdin in runtime.calls}) == 1


def test_a_step_that_is_seen_to_be_started_is_not_asked_for(tmp_path: Path) -> None:
    """Where the volume is a path, an adopted step costs no exec; what stands there half-written counts nothing."""
    runtime = Runtime([STARTED])
    world: Any = runtime
    service = ContainerSteps(world, TASK, None, host_dir=tmp_path)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "run-id").write_text(RUN[:20])
    assert service.start(TASK, StepSpec("s", ["true"])) == RUN
    assert len(runtime.calls) == 1
    (tmp_path / "s" / "run-id").write_text(RUN[::-1])
    assert service.start(TASK, StepSpec("s", ["true"])) == RUN[::-1]
    assert len(runtime.calls) == 1


def test_full_volume_is_told_at_once() -> None:
    """A runner without room for its status starts nothing, and asking again would not help."""
    runtime = Runtime([FULL])
    with pytest.raises(DiskFull, match="cannot start step s in container c-task"):
        runtime.service().start(TASK, StepSpec("s", ["true"]))
    assert len(runtime.calls) == 1


@pytest.mark.parametrize(
    ("answer", "words"), [(REFUSED, "cannot make the directory"), (NOT_STARTED, "no such program")]
)
def test_refusal_is_not_repeated(answer: Any, words: str) -> None:
    """What will not pass is said at once."""
    runtime = Runtime([answer])
    with pytest.raises(ExecError) as caught:
        runtime.service().start(TASK, StepSpec("s", ["true"]))
    assert words in str(caught.value)
    assert len(runtime.calls) == 1


def test_start_gives_up_when_patience_ends() -> None:
    """A runtime that stays away is said to be."""
    runtime = Runtime([RuntimeUnavailable("away")])
    with pytest.raises(RuntimeUnavailable):
        runtime.service().start(TASK, StepSpec("s", ["true"]))
    assert 50 < runtime.now < 60


def test_start_in_a_dead_container() -> None:
    """A failing launch in a container that has ended is a loss."""
    runtime = Runtime([NOT_STARTED], ContainerState(ContainerStatus.EXITED, 1, reason="exited"))
    with pytest.raises(ContainerLost, match="c-task"):
        runtime.service().start(TASK, StepSpec("s", ["true"]))


def test_cancel_is_tried_again() -> None:
    """A cancel whose stream broke is repeated; one of a dead container is done."""
    runtime = Runtime([BROKEN, BROKEN, ContainerRunResult(0)])
    runtime.service().cancel(TASK, "s")
    assert len(runtime.calls) == 3
    dead = Runtime([BROKEN], ContainerState(ContainerStatus.MISSING))
    dead.service().cancel(TASK, "s")
    assert len(dead.calls) == 1
    with pytest.raises(ExecError):
        Runtime([BROKEN]).service().cancel(TASK, "s")
