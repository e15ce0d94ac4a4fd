"""Progress on a terminal: one line per phase with its time, a line that moves only where somebody looks on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

WIDTH = 32
FRAMES = "|/-\\"
FRAMES_PER_SECOND = 8


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
        self._began = 0.0
        self._shown = False
        self._line_open = False
        self.phases: list[Timed] = []

    def begin(self, name: str) -> None:
        """End the phase under way, begin another; the same name changes nothing."""
        if name == self._name:
            return
        self.end()
        self._name, self._note, self._began = name, "", self._clock()

    def note(self, text: str) -> None:
        """Say how the phase under way is done; stands behind its time."""
        self._note = text

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
        """Move the live line, on a terminal."""
        if self._moving and self._name and not self._line_open:
            elapsed = self._clock() - self._began
            frame = FRAMES[int(elapsed * FRAMES_PER_SECOND) % len(FRAMES)]
            self._write(f"\r{self._name:<{WIDTH}} {elapsed:6.0f} s {frame}")
            self._shown = True

    def say(self, text: str) -> None:
        """Write a line of its own."""
        self._wipe()
        self._write(f"{text}\n")

    def raw(self, data: bytes) -> None:
        """Write a piece of a log as it is, but for what would move the cursor of a terminal."""
        text = data.decode("utf-8", "replace")
        self._wipe()
        self._write("".join(character for character in text if character.isprintable() or character in "\n\t"))
        self._line_open = not text.endswith("\n")

    def _wipe(self) -> None:
        if self._line_open:
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
