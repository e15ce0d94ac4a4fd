"""Logs are read where they lie: by offset, from line to line, and nothing else than logs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from koji_adjutant.monitoring.display import LogText
from koji_adjutant.monitoring.log_reader import LogSize, OpenLog, list_logs


def opened(directory: Path, content: bytes) -> OpenLog:
    """A log with this content."""
    (directory / "build.log").write_bytes(content)
    log = OpenLog.open(directory, "build.log")
    assert log is not None
    return log


@pytest.mark.parametrize(
    "name", ["../secret.log", "/etc/passwd", "link.log", "dir.log", "pipe.log", "none.log", "a.txt", ".log"]
)
def test_only_logs_are_opened(tmp_path: Path, name: str) -> None:
    """No other name, no link, no pipe, no directory."""
    (tmp_path.parent / "secret.log").write_text("secret")
    (tmp_path / "link.log").symlink_to(tmp_path.parent / "secret.log")
    (tmp_path / "dir.log").mkdir()
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "a.txt").write_text("no log")
    assert OpenLog.open(tmp_path, name) is None
    assert list_logs(tmp_path) == []


def test_logs_are_listed(tmp_path: Path) -> None:
    """By name, with their sizes; none where a task has just ended."""
    (tmp_path / "root.log").write_bytes(b"12345")
    (tmp_path / "build.log").touch()
    assert list_logs(tmp_path) == [LogSize("build.log", 0), LogSize("root.log", 5)]
    assert list_logs(tmp_path / "gone") == []


def test_a_log_is_read_on_when_its_task_has_ended(tmp_path: Path) -> None:
    """The open file outlives its directory."""
    with opened(tmp_path, b"the end\n") as log:
        (tmp_path / "build.log").unlink()
        assert log.next_piece(4, 100, LogText(), last=True).text == "end\n"


def test_pieces_join_at_whole_characters(tmp_path: Path) -> None:
    """A character or an end of line that is half there is left for the next piece, unless nothing follows."""
    with opened(tmp_path, "ab🙂\r\n🙂".encode()[:-1]) as log:
        text = LogText()
        first = log.next_piece(0, 4, text)
        assert (first.text, first.end) == ("ab", 2)
        second = log.next_piece(2, 5, text)
        assert (second.text, second.end) == ("🙂", 6)
        assert log.next_piece(6, 100, text).text == "\n"
        assert log.next_piece(8, 100, text, last=True).text == "\ufffd"


def test_earlier_pieces_begin_with_a_line(tmp_path: Path) -> None:
    """Going back from the end meets every byte once."""
    content = b"".join(b"line %d\n" % number for number in range(500))
    with opened(tmp_path, content) as log:
        end, pieces = log.size(), []
        while end:
            piece = log.piece_before(end, 300)
            pieces.append(piece.text)
            end = piece.start
        assert "".join(reversed(pieces)).encode() == content
        assert all(piece.startswith("line") for piece in pieces)


def test_a_line_longer_than_a_piece_is_gone_through(tmp_path: Path) -> None:
    """Without an end of line nearby, a piece begins where it may."""
    with opened(tmp_path, b"x" * 100_000 + b"\nend\n") as log:
        piece = log.piece_before(90_000, 1000)
        assert (piece.start, piece.end) == (89_000, 90_000)
