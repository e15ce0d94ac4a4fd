"""A build's output does nothing to a terminal, and loses nothing elsewhere."""

from __future__ import annotations

import io

import pytest

from koji_adjutant.cli.terminal_text import TerminalWriter, duration, harmless, size_text, table


class Stream(io.TextIOWrapper):
    """A text stream that is a terminal, or is not."""

    def __init__(self, *, terminal: bool) -> None:
        self.raw_bytes = io.BytesIO()
        super().__init__(self.raw_bytes, encoding="utf-8", newline="")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b1A\u202etxt.exe\r\x00\x7f plain ü\t.\r\n".encode()


def test_terminal() -> None:
    """Escapes, C1 controls, overrides of direction and carriage returns are shown, not sent."""
    stream = Stream(terminal=True)
    TerminalWriter(stream).write(HOSTILE)
    shown = stream.raw_bytes.getvalue().decode()
    assert shown == "^[]0;owned^G^[[2J\\x9b1A\\u202etxt.exe^M^@^? plain ü\t.\n"


@pytest.mark.parametrize("cut", range(1, len(HOSTILE)))
def test_terminal_whatever_the_pieces(cut: int) -> None:
    """However a log is cut into pieces, no control character comes through and every letter does."""
    stream = Stream(terminal=True)
    writer = TerminalWriter(stream)
    writer.write(HOSTILE[:cut])
    writer.write(HOSTILE[cut:])
    shown = stream.raw_bytes.getvalue().decode()
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    assert "plain ü" in shown


def test_elsewhere() -> None:
    """A pipe or file gets every byte, also those that are no text."""
    stream = Stream(terminal=False)
    TerminalWriter(stream).write(HOSTILE + b"\xff\xfe")
    assert stream.raw_bytes.getvalue() == HOSTILE + b"\xff\xfe"


def test_invalid_text_on_a_terminal() -> None:
    """Bytes that are no UTF-8 are one mark each."""
    stream = Stream(terminal=True)
    TerminalWriter(stream).write(b"a\xff\xc3(b\n")
    assert stream.raw_bytes.getvalue().decode() == "a\ufffd\ufffd(b\n"


def test_table() -> None:
    """Columns stand below each other, and no cell leaves its row."""
    assert table(("A", "NAME"), [("1", "x"), ("22", "e\x1b[\nvil")]) == "A   NAME\n1   x\n22  e^[[ vil\n"
    assert harmless("plain") == "plain"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (349_200, "4 d 1 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    """Times are told in two units at most."""
    assert duration(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 40, "5120.0 GiB")])
def test_size(size: int, text: str) -> None:
    """Sizes are told in the largest unit that fits."""
    assert size_text(size) == text
