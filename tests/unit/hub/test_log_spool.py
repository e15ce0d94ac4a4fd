"""The spool of a task's logs."""

import errno
import os

import pytest

from koji_adjutant.hub.log_spool import HELD_BYTES, LogSpool


@pytest.fixture
def spool(tmp_path):
    return LogSpool(tmp_path / "logs", 10_000)


def test_repeated_and_overlapping_writes_leave_one_copy(spool):
    """Any part of the log may be written again."""
    spool.write("build.log", 0, b"hello ")
    spool.write("build.log", 0, b"hello ")
    spool.write("build.log", 3, b"lo world")
    spool.write("build.log", 2, b"llo")
    assert spool.path("build.log").read_bytes() == b"hello world"
    assert spool.size("build.log") == 11


def test_gap_is_an_error(spool):
    """A gap would lose output."""
    spool.write("build.log", 0, b"abc")
    with pytest.raises(ValueError, match="gap, 3 bytes"):
        spool.write("build.log", 4, b"x")
    with pytest.raises(ValueError, match="gap"):
        spool.write("root.log", -1, b"x")


def test_new_spool_goes_on_where_the_old_one_was(spool, tmp_path):
    """What was taken survives the daemon."""
    spool.write("build.log", 0, b"abc")
    again = LogSpool(tmp_path / "logs", 10_000)
    assert again.size("build.log") == 3
    again.append("build.log", b"def")
    assert again.read("build.log", 2, 100) == b"cdef"
    assert again.names() == ["build.log"]


def test_empty_log_is_known_by_name(spool):
    """A log that was written nothing to has a name and no size."""
    spool.append("root.log", b"")
    assert spool.names() == ["root.log"]
    assert spool.size("root.log") == 0
    assert spool.size("other.log") == 0


@pytest.mark.parametrize("name", ["../x.log", "a/b.log", ".x.log", "x.txt", "", "x\n.log"])
def test_bad_names_are_refused(spool, name):
    """No name leaves the directory."""
    with pytest.raises(ValueError, match="not a name"):
        spool.append(name, b"x")


def test_link_in_place_of_a_log_is_refused(spool, tmp_path):
    """A link is neither followed nor listed."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    os.symlink(victim, spool.path("build.log"))
    assert spool.names() == []
    with pytest.raises(OSError, match=r"regular|symbolic|loop"):
        spool.append("build.log", b"x")
    assert victim.read_bytes() == b""


def test_full_log_ends_with_a_line_that_says_so(tmp_path):
    """The cap is named in the log; its writer goes on with its offsets, also after a restart of the daemon."""
    spool = LogSpool(tmp_path, 200)
    for start in range(0, 1000, 100):
        spool.write("build.log", start, b"x" * 100)
    assert spool.size("build.log") == 1000
    text = spool.path("build.log").read_bytes()
    assert len(text) == 200
    assert text.endswith(b"\n[log cut: the limit of 200 bytes is reached]\n")
    again = LogSpool(tmp_path, 200)
    again.write("build.log", again.size("build.log"), b"more")
    assert again.path("build.log").read_bytes() == text
    with pytest.raises(ValueError, match="gap"):
        spool.write("build.log", 1001, b"x")


class Disk:
    """A disk with `room` bytes for logs; None: endless."""

    def __init__(self):
        self.room = None
        self._write = os.pwrite

    def pwrite(self, fd, data, at):
        if self.room is None:
            return self._write(fd, data, at)
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._write(fd, data[: self.room], at)
        self.room -= written
        return written


@pytest.fixture
def disk(monkeypatch):
    """The disk of this test's spools."""
    made = Disk()
    monkeypatch.setattr(os, "pwrite", made.pwrite)
    return made


def test_full_disk_loses_nothing_of_a_log(spool, disk):
    """What the disk does not take is held, goes to the hub all the same, and is written when there is room."""
    disk.room = 4
    spool.write("build.log", 0, b"hello ")
    spool.write("build.log", 3, b"lo world")
    spool.append("state.log", b"said when nothing fits\n")
    assert spool.path("build.log").read_bytes() == b"hell"
    assert (spool.size("build.log"), spool.stored("build.log")) == (11, 11)
    assert [spool.read("build.log", at, 4) for at in (0, 2, 4, 9, 11)] == [b"hell", b"llo ", b"o wo", b"ld", b""]
    assert spool.tail("build.log", 5) == b"world"
    assert spool.read("state.log", 0, 100) == b"said when nothing fits\n"
    assert spool.names() == ["build.log", "state.log"]
    with pytest.raises(ValueError, match="gap"):
        spool.write("build.log", 12, b"x")
    disk.room = None
    spool.append("build.log", b"!")
    assert spool.path("build.log").read_bytes() == b"hello world!"


def test_memory_for_a_full_disk_is_bounded(tmp_path, disk):
    """Of a log that goes on while the disk is full, the cut is named and its writer goes on with its offsets."""
    spool = LogSpool(tmp_path, 100 * HELD_BYTES)
    disk.room = 10
    for start in range(0, 4 * HELD_BYTES, HELD_BYTES // 2):
        spool.write("build.log", start, b"x" * (HELD_BYTES // 2))
    assert spool.size("build.log") == 4 * HELD_BYTES
    assert spool.stored("build.log") == HELD_BYTES + 10
    end = spool.tail("build.log", 200)
    assert end.endswith(b"]\n")
    assert b"[log cut: no space left on device, " + os.fsencode(spool.path("build.log")) in end


def test_other_errors_of_the_disk_are_told(spool, monkeypatch):
    """A disk that is broken is not one that is full."""

    def fail(fd, data, at):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(OSError, match="Input/output"):
        spool.append("build.log", b"x")


def test_broken_disk_takes_nothing_back(spool, disk, monkeypatch):
    """What was held for a full disk is still there after an error of another kind, and is written when it is over."""
    disk.room = 4
    spool.append("build.log", b"hello world")

    def tear(fd, data, at):
        if at > 4:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return disk._write(fd, data[:2], at)

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", tear)
        with pytest.raises(OSError, match="Input/output"):
            spool.append("build.log", b"!")
    assert (spool.size("build.log"), spool.tail("build.log", 7)) == (11, b"o world")
    disk.room = None
    spool.write("build.log", 11, b"!")
    assert spool.path("build.log").read_bytes() == b"hello world!"


def test_broken_disk_leaves_no_size_it_did_not_take(spool, monkeypatch):
    """A writer that was told of an error may write the same again: the part that was written counts, the rest does not."""

    def tear(fd, data, at):
        if at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return write(fd, data[:3], at)

    write = os.pwrite
    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", tear)
        with pytest.raises(OSError, match="Input/output"):
            spool.write("build.log", 0, b"hello")
    assert spool.size("build.log") == 3
    spool.write("build.log", 0, b"hello")
    assert spool.path("build.log").read_bytes() == b"hello"
