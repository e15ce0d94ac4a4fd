"""Starts the durable steps of one task, and hands out followers (`StepService` of `container.steps`)."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import structlog

from koji_adjutant.container.interface import ContainerHandle, ContainerManager, ContainerRunResult
from koji_adjutant.container.step_follower import FollowSettings, StepFollower
from koji_adjutant.container.step_host_reader import HostReader
from koji_adjutant.container.step_loss import is_dead
from koji_adjutant.container.step_reader import RUNNER, ExecReader, StepReader
from koji_adjutant.container.step_request import encode_request
from koji_adjutant.container.steps import STEPS_DIR, StepSpec, StepStatus, WriteAt
from koji_adjutant.disk import disk_full
from koji_adjutant.errors import (
    ContainerError,
    ContainerLost,
    ContainerTimeout,
    DiskFull,
    ExecError,
    RuntimeUnavailable,
)

_log = structlog.get_logger(__name__)
_START_TIMEOUT = 60.0
_DAMAGED_TRANSFER = 65
_NO_SPACE = 73
"""Exit codes of the runner (`runner/runner.h`)."""
_LONGEST_PAUSE = 5.0
_CANCEL_ATTEMPTS = 5


class ContainerSteps:
    """Durable steps in the containers of one task. Thread-safe.

    `task` and `tools` share the volume of the steps; all reading goes through `tools` when there is one (the memory limit
    of `task` belongs to the build). With `host_dir`, the path of the volume on this machine, files are read directly.
    `patience`: seconds that a runtime may be silent before a call gives up.
    """

    def __init__(
        self,
        manager: ContainerManager,
        task: ContainerHandle,
        tools: ContainerHandle | None,
        *,
        host_dir: Path | None = None,
        patience: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._manager = manager
        self._host_dir = host_dir
        self._host = HostReader(host_dir, clock=clock, sleep=sleep) if host_dir is not None else None
        self._settings = FollowSettings(patience=patience, clock=clock, sleep=sleep)
        self._reader: StepReader = self._host or ExecReader(manager, tools or task)

    def start(self, where: ContainerHandle, spec: StepSpec) -> str:
        """See `StepService.start`. Repeats a launch whose end it could not learn: the runner starts a name only once."""
        request = encode_request(spec)
        if self._host is not None and (found := self._host.run_id(spec.name)) is not None:
            # A daemon before us started it. Asking the runner would say the same, at the price of an exec.
            _log.info("step.started", container=where.name, step=spec.name, run_id=found, first=False)
            return found
        argv = [RUNNER, "run", f"{STEPS_DIR}/{spec.name}", str(len(request)), str(zlib.crc32(request))]
        give_up = self._settings.clock() + self._settings.patience
        pause = 0.2
        while True:
            try:
                return self._launch(where, spec.name, argv, request)
            except (ExecError, ContainerTimeout, RuntimeUnavailable) as error:
                self._check_alive(where, spec.name)
                if not _may_pass(error) or self._settings.clock() > give_up:
                    raise
                _log.warning("step.start_repeated", container=where.name, step=spec.name, error=str(error))
            self._settings.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def follow(
        self,
        where: ContainerHandle,
        name: str,
        write: WriteAt,
        *,
        write_err: WriteAt | None = None,
        offset: int = 0,
        err_offset: int = 0,
        interrupt: threading.Event | None = None,
    ) -> StepStatus:
        """See `StepService.follow`."""
        follower = StepFollower(
            self._manager,
            self._reader,
            where,
            name,
            settings=self._settings,
            interrupt=interrupt,
        )
        return follower.run(write, write_err, offset, err_offset)

    def cancel(self, where: ContainerHandle, name: str) -> None:
        """See `StepService.cancel`. Tried a few times; a container that is gone has nothing to cancel."""
        for attempt in range(1, _CANCEL_ATTEMPTS + 1):
            try:
                self._reader.cancel(name)
            except (ContainerError, OSError) as error:
                _log.warning("step.cancel_failed", container=where.name, step=name, error=str(error))
                if self._is_dead(where):
                    return
                if attempt == _CANCEL_ATTEMPTS:
                    raise
                self._settings.sleep(0.2 * attempt)
            else:
                return

    def _launch(self, where: ContainerHandle, name: str, argv: list[str], request: bytes) -> str:
        result = self._manager.exec(where, argv, stdin=request, timeout=_START_TIMEOUT)
        word, _, run_id = result.stdout.decode("ascii", "replace").strip().partition(" ")
        if result.exit_code == 0 and word in {"started", "exists"} and len(run_id) == 32:
            _log.info("step.started", container=where.name, step=name, run_id=run_id, first=word == "started")
            return run_id
        if result.exit_code == _NO_SPACE:
            raise self._no_space(where, name, result)
        raise _launch_failed(where, name, result)

    def _no_space(self, where: ContainerHandle, name: str, result: ContainerRunResult) -> DiskFull:
        """A step whose end could not be recorded is not begun."""
        what = f"cannot start step {name} in container {where.name}"
        if self._host_dir is not None:
            return disk_full(self._host_dir, what)
        return DiskFull(f"no space left for steps: {what}", details=_said(result))

    def _is_dead(self, where: ContainerHandle) -> bool:
        try:
            return is_dead(self._manager.state(where))
        except RuntimeUnavailable:
            return False

    def _check_alive(self, where: ContainerHandle, name: str) -> None:
        try:
            state = self._manager.state(where)
        except RuntimeUnavailable:
            return
        if is_dead(state):
            raise ContainerLost(
                f"container {where.name} was dead when step {name} was to start in it",
                details=f"status {state.status}, exit code {state.exit_code}, the runtime says {state.reason or 'nothing'}",
                reason="deleted" if state.exit_code is None else "exited",
            )


def _may_pass(error: ContainerError) -> bool:
    return error.reason != "not-started" or error.retryable


def _launch_failed(where: ContainerHandle, name: str, result: ContainerRunResult) -> ExecError:
    """A transfer that broke, or an answer that was lost, may be repeated; a runner that refuses may not."""
    broken = result.exit_code in {0, _DAMAGED_TRANSFER}
    return ExecError(
        f"step {name} could not be started in container {where.name}",
        details=_said(result),
        reason="unknown-end" if broken else "not-started",
        retryable=broken,
    )


def _said(result: ContainerRunResult) -> str:
    return f"exit code {result.exit_code}: {result.stderr[:2000].decode('utf-8', 'backslashreplace').strip()}"
