"""A growing log is read by offset, whatever becomes of its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from koji_adjutant.control.task_log import LogReader, default_log, logs_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "build.log"


def test_reads_what_has_grown(path: Path) -> None:
    """Each read goes on where the last one ended; a file that comes late is found."""
    with LogReader(path) as reader:
        assert reader.read(0) == (0, b"")
        path.write_bytes(b"one\n")
        assert reader.read(0) == (0, b"one\n")
        assert reader.read(4) == (4, b"")
        with path.open("ab") as stream:
            stream.write(b"two\n")
        assert reader.read(4) == (4, b"two\n")
        assert reader.read(2, 3) == (2, b"e\nt")


def test_the_end_is_read_after_removal(path: Path) -> None:
    """What was written before the task's directory went is not lost."""
    path.write_bytes(b"one\n")
    with LogReader(path) as reader:
        reader.read(0)
        with path.open("ab") as stream:
            stream.write(b"last\n")
        path.unlink()
        assert reader.read(4) == (4, b"last\n")
        assert reader.read(9) == (9, b"")


def test_another_file_is_read_from_its_beginning(path: Path) -> None:
    """After a rotation the old file's rest comes first, then the new one."""
    path.write_bytes(b"old\n")
    with LogReader(path) as reader:
        assert reader.read(0) == (0, b"old\n")
        path.rename(path.with_suffix(".1"))
        path.write_bytes(b"new and longer\n")
        assert reader.read(2) == (2, b"d\n")
        assert reader.read(4) == (0, b"new and longer\n")


def test_a_shorter_file_is_read_from_its_beginning(path: Path) -> None:
    """So is one that was cut, and one that is shorter than where the client was."""
    path.write_bytes(b"a long line\n")
    with LogReader(path) as reader:
        assert reader.read(0)[1] == b"a long line\n"
        path.write_bytes(b"short\n")
        assert reader.read(12) == (0, b"short\n")
    with LogReader(path) as reader:
        assert reader.read(999) == (0, b"short\n")


@pytest.mark.parametrize("make", ["link", "pipe", "directory"])
def test_only_files_are_logs(path: Path, make: str) -> None:
    """No link is followed, no pipe waited for."""
    if make == "link":
        path.symlink_to("/etc/hostname")
    elif make == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(OSError, match=r"symbolic|regular"), LogReader(path) as reader:
        reader.read(0)
    assert logs_of(path.parent) == {}


@pytest.mark.parametrize(
    ("text", "count", "rest"),
    [
        (b"a\nb\nc\n", 1, b"c\n"),
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 1, b"c"),
        (b"a\nb\nc\n", 9, b"a\nb\nc\n"),
        (b"a\nb\n", 0, b""),
        (b"a\nb", 0, b""),
        (b"", 3, b""),
        (b"x" * (5 << 20), 1, b"x" * (4 << 20)),
    ],
)
def test_last_lines(path: Path, text: bytes, count: int, rest: bytes) -> None:
    """The last lines are whole, but for one that is longer than anybody looks back."""
    path.write_bytes(text)
    with LogReader(path) as reader:
        assert text[reader.last_lines(count) :] == rest


def test_default_log(tmp_path: Path) -> None:
    """build.log where there is one, else the log written last."""
    assert default_log(logs_of(tmp_path / "missing")) is None
    for name, time in (("checkout.log", 5), ("srpm.log", 9), (".hidden.log", 99), ("notes.txt", 99)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    assert default_log(logs_of(tmp_path)) == "srpm.log"
    (tmp_path / "build.log").touch()
    assert default_log(logs_of(tmp_path)) == "build.log"
