"""Follows one step to its end over a link that breaks.

Only a status of the run, together with a log read to its end, is a result. Everything else (no answer, half an answer, a
silent link) means "ask again"; beside it the container's state is checked, so that nothing is waited for that cannot come.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from koji_adjutant.container.interface import ContainerHandle, ContainerManager, ContainerState, ContainerStatus
from koji_adjutant.container.step_frame import MemoryRecord, StepFrame
from koji_adjutant.container.step_loss import explain_loss, explain_reader_loss, is_dead
from koji_adjutant.container.step_reader import StepReader, read_container_memory
from koji_adjutant.container.step_worker import StepWorker, check_interrupt
from koji_adjutant.container.steps import StepStatus, WriteAt
from koji_adjutant.errors import ContainerError, ExecError, RuntimeUnavailable

_log = structlog.get_logger(__name__)
_LONGEST_PAUSE = 5.0
_SETTLE = 10.0
"""Seconds a runtime may need to notice a death that the lock on the run id has shown already."""
_LAST_LOOKS = 3
"""Attempts to read the rest of the log after the container's death."""


@dataclass(frozen=True)
class FollowSettings:
    """Times of a follower in seconds. `wait` is the long poll: a silent step costs one request in that time."""

    patience: float = 600.0
    wait: float = 20.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class StepFollower:
    """One `follow` call. Not to be used twice."""

    def __init__(
        self,
        manager: ContainerManager,
        reader: StepReader,
        where: ContainerHandle,
        name: str,
        *,
        settings: FollowSettings,
        interrupt: threading.Event | None,
    ) -> None:
        self._manager = manager
        self._reader = reader
        self._where = where
        self._name = name
        self._settings = settings
        self._interrupt = interrupt
        self._answered = settings.clock()
        self._pause = 0.0
        self._dead: ContainerState | None = None
        self._last_looks = _LAST_LOOKS

    def run(self, write: WriteAt, write_err: WriteAt | None, offset: int, err_offset: int) -> StepStatus:
        """Deliver from the offsets on until the end. Raises as `StepService.follow` says."""
        worker = StepWorker[StepFrame](self._interrupt)
        try:
            while True:
                check_interrupt(self._interrupt)
                wait = 0.0 if self._dead else self._settings.wait
                frame = self._read(worker, offset, err_offset if write_err is not None else None, wait)
                if frame is None:
                    continue
                offset = _deliver(write, frame.out.offset, frame.out.data)
                if write_err is not None and frame.err is not None:
                    err_offset = _deliver(write_err, frame.err.offset, frame.err.data)
                status = self._end(frame)
                if status is not None:
                    return status
        finally:
            worker.close()

    def _read(
        self, worker: StepWorker[StepFrame], offset: int, err_offset: int | None, wait: float
    ) -> StepFrame | None:
        """One frame, or None if it must be asked for again."""
        try:
            frame = worker.call(lambda: self._reader.read(self._name, offset, err_offset, wait))
        except ContainerError as error:
            self._failed(error)
            return None
        self._answered = self._settings.clock()
        self._pause = 0.0
        return frame

    def _end(self, frame: StepFrame) -> StepStatus | None:
        """The step's status if this frame completes it; None to go on; raises when nothing more can come."""
        if frame.run_id is None and not self._dead:
            self._check_state()
            if not self._dead:
                raise ExecError(f"step {self._name} was never started in {self._where.name}", reason="not-started")
        if not frame.at_end:
            return None
        if frame.status is not None:
            return frame.status
        if self._dead:
            raise explain_loss(self._where, self._name, self._dead, frame.memory)
        if not frame.alive:
            raise self._runner_died(frame)
        if not frame.has_data:
            self._check_state()
        return None

    def _check_state(self) -> None:
        """Note a dead container; the next frame is then the last one that is read."""
        try:
            state = self._manager.state(self._where)
        except RuntimeUnavailable:
            return
        if is_dead(state):
            _log.warning("step.container_died", container=self._where.name, step=self._name, status=str(state.status))
            self._dead = state

    def _runner_died(self, frame: StepFrame) -> ContainerError:
        """The runner is gone and left no status: mostly with its container, which its runtime may not know yet."""
        deadline = self._settings.clock() + _SETTLE
        while self._dead is None and self._settings.clock() < deadline:
            self._check_state()
            if self._dead is None:
                self._rest(0.5)
        state = self._dead or ContainerState(ContainerStatus.RUNNING)
        return explain_loss(self._where, self._name, state, self._latest_memory(frame.memory))

    def _latest_memory(self, noted: MemoryRecord) -> MemoryRecord:
        if self._dead is not None:
            return noted
        now = self._memory_now()
        if now is None:
            return noted
        return MemoryRecord(now.limit, max(now.peak, noted.peak), max(now.kills, noted.kills))

    def _memory_now(self) -> MemoryRecord | None:
        """Ask the living container, again over a link that breaks: one lost answer must not hide what the limit killed."""
        deadline = self._settings.clock() + _SETTLE
        while True:
            try:
                return read_container_memory(self._manager, self._where)
            except ContainerError as error:
                if self._settings.clock() >= deadline:
                    _log.warning("step.memory_unknown", container=self._where.name, step=self._name, error=error.brief)
                    return None
            self._rest(0.5)

    def _failed(self, error: ContainerError) -> None:
        """A look failed: find out whether it can ever succeed, then wait a little."""
        silent = self._settings.clock() - self._answered
        _log.info("step.read_repeated", container=self._where.name, step=self._name, error=error.brief)
        if self._dead:
            self._last_looks -= 1
            if self._last_looks == 0:
                raise explain_loss(self._where, self._name, self._dead, MemoryRecord()) from error
        else:
            self._check_state()
            self._check_reader(error)
        if silent > self._settings.patience:
            raise RuntimeUnavailable(
                f"step {self._name} in container {self._where.name} could not be followed for {silent:.0f} s",
                details=str(error),
                resolution="Check the container runtime; the step itself goes on and can be followed again.",
            ) from error
        self._pause = min(max(0.2, self._pause * 2), _LONGEST_PAUSE)
        self._rest(self._pause)

    def _check_reader(self, error: ContainerError) -> None:
        through = self._reader.through
        if through is None or through == self._where or self._dead:
            return
        try:
            state = self._manager.state(through)
        except RuntimeUnavailable:
            return
        if is_dead(state):
            raise explain_reader_loss(through, self._name, state) from error

    def _rest(self, seconds: float) -> None:
        if self._interrupt is None:
            self._settings.sleep(seconds)
        else:
            self._interrupt.wait(seconds)
            check_interrupt(self._interrupt)


def _deliver(write: WriteAt, offset: int, data: bytes) -> int:
    if data:
        write(offset, data)
    return offset + len(data)
