"""Looks at the files of a step as a path of this machine, where the daemon sees the volume.

The volume belongs to the root users of hostile containers: directories by descriptor, no link followed, nothing opened
that could block, regular files only, byte caps. Needs the rights to read files of mode 0600 of that root.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from koji_adjutant.container.interface import ContainerHandle
from koji_adjutant.container.step_frame import (
    MAX_STATUS_BYTES,
    LogPart,
    MemoryRecord,
    StepFrame,
    decode_memory,
    decode_status,
)
from koji_adjutant.container.step_reader import MAX_PART_BYTES
from koji_adjutant.container.step_request import check_step_name
from koji_adjutant.container.steps import StepStatus
from koji_adjutant.errors import ExecError

_POLL = 0.02
_LONGEST_POLL = 0.1
_LINGER = 0.2
"""Seconds that news wait for more: fewer writes to the log sink, no line later than a person notices."""
_OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_RUN_ID = re.compile(rb"[0-9a-f]{32}")


class HostReader:
    """A `StepReader` over `host_dir`, the volume's path on this machine."""

    def __init__(
        self,
        host_dir: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._host_dir = host_dir
        self._clock = clock
        self._sleep = sleep

    @property
    def through(self) -> ContainerHandle | None:
        return None

    def read(self, name: str, offset: int, err_offset: int | None, wait: float) -> StepFrame:
        try:
            with self._step(name) as step:
                if step is None:
                    return StepFrame(None, False, LogPart(offset, b"", 0), _missing(err_offset), None)
                _touch(step)
                return self._wait_for_news(step, offset, err_offset, wait)
        except OSError as error:
            raise ExecError(
                f"step {name} cannot be read in {self._host_dir}: {error}", reason="unknown-end", retryable=True
            ) from error

    def run_id(self, name: str) -> str | None:
        """Return the run id of a step that has been started, None if it has not been or cannot be looked at."""
        try:
            with self._step(name) as step:
                return None if step is None else _look(step)[0]
        except OSError:
            return None

    def cancel(self, name: str) -> None:
        with self._step(name) as step, contextlib.suppress(OSError):
            if step is not None:
                os.close(os.open("cancel", os.O_WRONLY | os.O_CREAT | _OPEN, 0o600, dir_fd=step))

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[int | None]:
        """Descriptor of the step's directory, None if there is no such directory."""
        volume = os.open(self._host_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            step = os.open(check_step_name(name), os.O_RDONLY | os.O_DIRECTORY | _OPEN, dir_fd=volume)
        except FileNotFoundError:
            yield None
            return
        finally:
            os.close(volume)
        try:
            yield step
        finally:
            os.close(step)

    def _wait_for_news(self, step: int, offset: int, err_offset: int | None, wait: float) -> StepFrame:
        deadline = self._clock() + wait
        pause, lingering = _POLL, False
        while True:
            run_id, alive, status = _look(step)
            news = max(_news(step, "out", offset), _news(step, "err", err_offset))
            now = self._clock()
            if not alive or status is not None or news >= MAX_PART_BYTES or now >= deadline:
                return _frame(step, run_id, alive, status, offset, err_offset)
            if news > 0 and not lingering:
                lingering, deadline = True, min(deadline, now + _LINGER)
            self._sleep(min(pause, max(0.0, deadline - now)))
            pause = min(pause * 1.25, _LONGEST_POLL)


def _look(step: int) -> tuple[str | None, bool, StepStatus | None]:
    """Run id, whether its runner lives, and its status; in the order that `runner/read.c` explains."""
    text = _small_file(step, "run-id", 64)
    run_id = text.decode() if text is not None and _RUN_ID.fullmatch(text) else None
    alive = _runner_lives(step)
    status = _small_file(step, "status", MAX_STATUS_BYTES)
    return run_id, alive, decode_status(status, run_id) if status is not None else None


def _frame(
    step: int, run_id: str | None, alive: bool, status: StepStatus | None, offset: int, err_offset: int | None
) -> StepFrame:
    err = _part(step, "err", err_offset) if err_offset is not None else None
    return StepFrame(run_id, alive, _part(step, "out", offset), err, status, _memory(step))


def _runner_lives(step: int) -> bool:
    """The runner holds a lock on its run id as long as it lives."""
    fd = _open_regular(step, "run-id", os.O_RDONLY)
    if fd is None:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _open_regular(step: int, name: str, flags: int) -> int | None:
    try:
        fd = os.open(name, flags | _OPEN, dir_fd=step)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def _small_file(step: int, name: str, limit: int) -> bytes | None:
    fd = _open_regular(step, name, os.O_RDONLY)
    if fd is None:
        return None
    try:
        data = os.read(fd, limit)
    finally:
        os.close(fd)
    return data if len(data) < limit else None


def _news(step: int, name: str, offset: int | None) -> int:
    if offset is None:
        return 0
    try:
        info = os.stat(name, dir_fd=step, follow_symlinks=False)
    except OSError:
        return 0
    return info.st_size - offset if stat.S_ISREG(info.st_mode) else 0


def _part(step: int, name: str, offset: int) -> LogPart:
    fd = _open_regular(step, name, os.O_RDONLY)
    if fd is None:
        return LogPart(offset, b"", 0)
    try:
        total = os.fstat(fd).st_size
        return LogPart(offset, os.pread(fd, min(MAX_PART_BYTES, max(0, total - offset)), offset), total)
    finally:
        os.close(fd)


def _missing(err_offset: int | None) -> LogPart | None:
    return None if err_offset is None else LogPart(err_offset, b"", 0)


def _memory(step: int) -> MemoryRecord:
    return decode_memory(_small_file(step, "memory", 128) or b"")


def _touch(step: int) -> None:
    fd = _open_regular(step, "touched", os.O_WRONLY)
    if fd is not None:
        try:
            os.utime(fd)
        finally:
            os.close(fd)
