"""Two ways to look at the files of a step: through short execs in `tools`, or directly where the daemon sees the volume.

Both answer the same: `read` waits inside for news (a long poll) and returns one `StepFrame`; every call may be repeated.
"""

from __future__ import annotations

from typing import Protocol

from koji_adjutant.container.interface import ContainerHandle, ContainerManager
from koji_adjutant.container.step_frame import MemoryRecord, StepFrame, decode_frame, decode_memory
from koji_adjutant.container.step_request import check_step_name
from koji_adjutant.container.steps import BIN_DIR, STEPS_DIR
from koji_adjutant.errors import ExecError

RUNNER = f"{BIN_DIR}/adjutant-runner"
MAX_PART_BYTES = 1 << 20
"""At most so many bytes of each log in one frame: what a follower holds in memory."""
_EXEC_MARGIN = 30.0
"""Seconds beyond the wait that a runtime may need to start an exec and to bring its answer."""


class StepReader(Protocol):
    """Looks at one step. Thread-safe, safe to repeat."""

    @property
    def through(self) -> ContainerHandle | None:
        """The container whose life the reader depends on; None if it needs none."""

    def read(self, name: str, offset: int, err_offset: int | None, wait: float) -> StepFrame:
        """Wait at most `wait` seconds for bytes beyond the offsets, the status or the runner's death; touch the step.

        Raises:
            ExecError, ContainerTimeout, RuntimeUnavailable, ContainerNotFound: it could not be looked at now.
        """

    def cancel(self, name: str) -> None:
        """Leave the wish that the step ends; nothing happens if there is no such step. Raises as `read` does."""


class ExecReader:
    """Reads by `adjutant-runner read` in a container that has the volume."""

    def __init__(self, manager: ContainerManager, through: ContainerHandle) -> None:
        self._manager = manager
        self._through = through

    @property
    def through(self) -> ContainerHandle | None:
        return self._through

    def read(self, name: str, offset: int, err_offset: int | None, wait: float) -> StepFrame:
        numbers = (offset, -1 if err_offset is None else err_offset, MAX_PART_BYTES, round(wait * 1000))
        argv = [RUNNER, "read", f"{STEPS_DIR}/{check_step_name(name)}", *map(str, numbers)]
        result = self._manager.exec(self._through, argv, timeout=wait + _EXEC_MARGIN)
        if result.exit_code != 0:
            raise ExecError(
                f"step {name} cannot be read in container {self._through.name}",
                details=f"exit code {result.exit_code}: {_text(result.stderr)}",
                reason="unknown-end",
                retryable=True,
            )
        frame = decode_frame(result.stdout)
        if frame.out.offset != offset or (frame.err.offset if frame.err else None) != err_offset:
            raise ExecError(f"a frame of step {name} answers another request", reason="unknown-end", retryable=True)
        return frame

    def cancel(self, name: str) -> None:
        argv = [RUNNER, "cancel", f"{STEPS_DIR}/{check_step_name(name)}"]
        self._manager.exec(self._through, argv, timeout=_EXEC_MARGIN)


def read_container_memory(manager: ContainerManager, where: ContainerHandle) -> MemoryRecord:
    """Memory of a running container since its start. Raises as `ContainerManager.exec` does."""
    return decode_memory(manager.exec(where, [RUNNER, "memory"], timeout=_EXEC_MARGIN).stdout)


def _text(data: bytes) -> str:
    return data[:2000].decode("utf-8", "backslashreplace").strip()
