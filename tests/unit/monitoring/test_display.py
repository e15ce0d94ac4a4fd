"""What a build writes is shown, and does nothing."""

from __future__ import annotations

import pytest

from koji_adjutant.monitoring.display import CUT, MAX_LINE, LogText, harmless, whole_characters


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b]0;title\x07", "␛[31mred␛]0;title␇"),
        ("10%\r20%\r\n\x00\x7f", "10%\n20%\n␀␡"),
        ("\x9b2J\u202egnp.exe\u2066", "<U+009B>2J<U+202E>gnp.exe<U+2066>"),
        ("a\u2028b", "a<U+2028>b"),
        ("naïve 日本 🙂", "naïve 日本 🙂"),
        ("<script>alert(1)</script>&amp;", "<script>alert(1)</script>&amp;"),
    ],
)
def test_controls_are_pictures(text: str, shown: str) -> None:
    """Escapes, direction marks and carriage returns are seen; markup is text, and stays it."""
    assert harmless(text) == shown


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"", 0),
        (b"abc", 3),
        ("é".encode(), 2),
        ("é".encode()[:1], 0),
        ("a日".encode()[:3], 1),
        ("a🙂".encode()[:4], 1),
        ("a🙂".encode(), 5),
        (b"\x80\x80\x80\x80\x80", 5),
        (b"\xff", 1),
    ],
)
def test_characters_are_not_cut(data: bytes, whole: int) -> None:
    """A piece ends with a character; what is none is not waited for, but for one that may begin one."""
    assert whole_characters(data) == whole


def test_invalid_bytes_are_shown_as_that() -> None:
    """Nothing raises, nothing is dropped in silence."""
    assert LogText().take(b"a\xff\xfeb\n") == "a\ufffd\ufffdb\n"


def test_a_long_line_is_cut_over_pieces() -> None:
    """20 MB without an end of line come to a few kilobytes; the next line is whole."""
    text = LogText()
    shown = "".join(text.take(b"x" * (1 << 16)) for _ in range(320)) + text.take(b"x\nnext\n")
    assert shown == "x" * MAX_LINE + CUT + "\nnext\n"
