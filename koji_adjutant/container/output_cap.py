"""Output of a command on its way to callbacks, or collected up to a cap."""

from __future__ import annotations

from koji_adjutant.container.interface import ContainerRunResult, Write
from koji_adjutant.errors import ExecError

OUTPUT_CAP = 8 * 1024 * 1024
"""Bytes that are collected in all (`ContainerManager.exec`, `run`)."""


class Collector:
    """Takes two streams. What has no callback is kept; too much of it is an error at once, and again at `check`."""

    def __init__(self, stdout: Write | None, stderr: Write | None) -> None:
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._write_stdout = stdout
        self._write_stderr = stderr
        self._overflow: ExecError | None = None

    def take_stdout(self, data: bytes) -> None:
        """Take the next bytes of stdout."""
        self._take(data, self._write_stdout, self._stdout)

    def take_stderr(self, data: bytes) -> None:
        """Take the next bytes of stderr."""
        self._take(data, self._write_stderr, self._stderr)

    def check(self) -> None:
        """Raise what `take_*` raised, for a reader in another thread."""
        if self._overflow is not None:
            raise self._overflow

    def result(self, exit_code: int) -> ContainerRunResult:
        """The end, with what was collected."""
        return ContainerRunResult(exit_code, bytes(self._stdout), bytes(self._stderr))

    def _take(self, data: bytes, write: Write | None, kept: bytearray) -> None:
        self.check()
        if write is not None:
            write(data)
            return
        kept += data
        if len(self._stdout) + len(self._stderr) > OUTPUT_CAP:
            self._overflow = ExecError(
                f"more than {OUTPUT_CAP} bytes of output to collect",
                resolution="Take the output by callback.",
                reason="too-much-output",
            )
            raise self._overflow
