"""The companions of logs that say when each part came."""

import errno
import os

import pytest

from koji_adjutant.hub.log_spool import LogSpool
from koji_adjutant.hub.timestamps import LogTimestamps


@pytest.fixture
def spool(tmp_path):
    return LogSpool(tmp_path / "logs", 10_000)


@pytest.mark.parametrize("torn", [b"100 0", b"100 0\n10", b"100 0\n101\n", b"\0\0\0\n", b"10", b"x y\n"])
def test_torn_companion_is_started_over(spool, torn):
    """A line that a crash has cut ends nobody's thread: the offsets begin anew behind it, in lines of their own."""
    spool.append("build.log", b"abc")
    spool.append("build.log-ts.log", torn)
    LogTimestamps(spool, lambda: 200).note_growth()
    assert spool.path("build.log-ts.log").read_bytes() == torn + b"\n200 0\n200 3\n"


def test_trouble_of_the_disk_is_made_up_for(spool, monkeypatch):
    """A look that fails ends nobody's thread; the next one notes the growth."""

    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    spool.append("build.log", b"abc")
    stamps = LogTimestamps(spool, lambda: 200)
    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", fail)
        stamps.note_growth()
    stamps.note_growth()
    assert spool.path("build.log-ts.log").read_bytes() == b"200 0\n200 3\n"
