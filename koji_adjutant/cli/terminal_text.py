"""Text of others fit for a terminal: nothing in it moves the cursor, colours, retitles, or reorders what a reader sees."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Sequence
from typing import TextIO

KEPT = frozenset("\n\t")


class TerminalWriter:
    """Writes pieces of a log. To a terminal as harmless text, to anything else byte for byte."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: bytes) -> None:
        """Write a piece; a character may be cut in two between pieces."""
        if self._terminal:
            self._stream.write(harmless(self._decoder.decode(data).replace("\r\n", "\n")))
        else:
            self._stream.buffer.write(data)
        self._stream.flush()


def harmless(text: str) -> str:
    r"""Return `text` with everything but printable characters, line ends and tabs made visible: `^[`, `\u202e`."""
    if text.isprintable():
        return text
    return "".join(c if c in KEPT or c.isprintable() else _visible(c) for c in text)


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"^{chr(code ^ 0x40)}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns below a head; texts of others in it do no harm."""
    cells = [list(head), *([harmless(cell).replace("\n", " ") for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines) + "\n"


def duration(seconds: float) -> str:
    """Return a time as people say it: `45 s`, `3 min 20 s`, `2 h 5 min`, `4 d 1 h`."""
    left = max(0, int(seconds))
    for name, size, below, unit in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if left >= size:
            rest = left % size // unit
            return f"{left // size} {name}" + (f" {rest} {below}" if rest else "")
    return f"{left} s"


def size_text(count: int) -> str:
    """Return bytes in the largest unit that leaves a number of at least 1."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
