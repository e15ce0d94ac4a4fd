"""Progress of a build: one line per phase with its time.

On a terminal the phase under way has a line that moves, with the last line of its log. Elsewhere it has a line now and then,
so that a long build in a CI system is not taken for one that hangs.
"""

from __future__ import annotations

import codecs
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from koji_adjutant.cli.terminal_text import harmless

WIDTH = 32
FRAMES = "|/-\\"
FRAMES_PER_SECOND = 8
SILENT_SECONDS = 60.0
"""Without a terminal, the longest that nothing is written while a phase is under way."""


@dataclass(frozen=True)
class Timed:
    """A phase that has ended."""

    name: str
    seconds: float
    note: str = ""


class Progress:
    """Writes to `stream` (stderr: results go to stdout). Main thread only; the clock is injected."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._moving = self._stream.isatty()
        self._name = ""
        self._note = ""
        self._detail = ""
        self._began = 0.0
        self._wrote_at = 0.0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._shown = False
        self._line_open = False
        self.phases: list[Timed] = []

    def begin(self, name: str) -> None:
        """End the phase under way, begin another; the same name changes nothing."""
        if name == self._name:
            return
        self.end()
        self._name, self._note, self._detail = name, "", ""
        self._began = self._wrote_at = self._clock()

    def note(self, text: str) -> None:
        """Say how the phase under way is done; stands behind its time."""
        self._note = text

    def detail(self, text: str) -> None:
        """Say what the phase under way is at; may be a build's own words."""
        self._detail = text

    def end(self, note: str = "") -> None:
        """End the phase under way and write its line."""
        if not self._name:
            return
        phase = Timed(self._name, self._clock() - self._began, note or self._note)
        self._name = ""
        self.phases.append(phase)
        self._wipe()
        self._write(phase_line(phase) + "\n")

    def tick(self) -> None:
        """Move the live line, or write one if nothing was written for long."""
        if not self._name or self._line_open:
            return
        now = self._clock()
        elapsed = now - self._began
        if self._moving:
            frame = FRAMES[int(elapsed * FRAMES_PER_SECOND) % len(FRAMES)]
            columns = shutil.get_terminal_size().columns
            self._write(f"\r{in_row(f'{frame} {self._name}  {elapsed:.0f} s  {self._detail}', columns)}\033[K")
            self._shown = True
        elif now - self._wrote_at >= SILENT_SECONDS:
            self._wrote_at = now
            self._write(f"{in_row(f'{self._name:<{WIDTH}} {elapsed:6.0f} s so far  {self._detail}', WIDTH * 4)}\n")

    def say(self, text: str) -> None:
        """Write a line of its own."""
        self._wipe()
        self._write(f"{text}\n")

    def raw(self, data: bytes) -> None:
        """Write a piece of a log as it is, but for what would act on a terminal."""
        text = harmless(self._decoder.decode(data).replace("\r\n", "\n"))
        if not text:
            return
        self._wipe(keep_open=True)
        self._write(text)
        self._line_open = not text.endswith("\n")
        self._wrote_at = self._clock()

    def _wipe(self, *, keep_open: bool = False) -> None:
        if self._line_open and not keep_open:
            self._write("\n")
            self._line_open = False
        if self._shown:
            self._write("\r\033[K")
            self._shown = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def phase_line(phase: Timed) -> str:
    """Return the line of an ended phase."""
    return f"{phase.name:<{WIDTH}} {phase.seconds:6.1f} s  {phase.note}".rstrip()


def in_row(text: str, columns: int) -> str:
    """Return `text` cut to one row of a terminal; letters that may be wider than one column are left out."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[: max(1, columns - 1)].rstrip()
