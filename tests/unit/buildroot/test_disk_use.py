"""A full disk is told from a program that only says so, and a task's part in it is measured."""

import os
from pathlib import Path

import pytest

from koji_adjutant.buildroot import disk_use
from koji_adjutant.buildroot.disk_use import DiskUse, full_disk, used_bytes
from koji_adjutant.buildroot.faults import BuildFault, InfrastructureFault
from koji_adjutant.buildroot.verdict_rules import Kind
from koji_adjutant.buildroot.verdicts import Phase, failure, judge, on_full_disk
from koji_adjutant.buildroot.wording import Operation
from koji_adjutant.deep_trees import remove_tree

SAID = b"ld: final link failed: No space left on device\n"
MB = 1 << 20


@pytest.mark.parametrize(
    ("free", "tail", "full"),
    [
        (0, b"", True),
        (MB - 1, b"error: Bad exit status\n", True),
        (MB, SAID, True),
        (50 * MB, SAID, True),
        (50 * MB, b"write: Disk quota exceeded\n", True),
        (50 * MB, b"error: Bad exit status\n", False),
        (100 * MB, SAID, False),
        (None, SAID, False),
    ],
)
def test_full_or_only_said_to_be(free, tail, full, tmp_path, monkeypatch):
    """Next to nothing free is full; less than promised is when the log says so; a test of /dev/full is none."""
    monkeypatch.setattr(disk_use, "free_bytes", lambda _: free)
    assert (full_disk(tmp_path, 100 * MB, tail) is not None) is full


def test_used_is_what_the_files_take(tmp_path):
    """Sparse files, links and links to directories count what they are."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "data").write_bytes(b"x" * 300_000)
    os.link(tmp_path / "a" / "data", tmp_path / "same")
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(1 << 40)
    os.symlink("/", tmp_path / "a" / "root")
    assert 300_000 <= used_bytes(tmp_path) < 400_000
    assert used_bytes(tmp_path / "none") == 0


def test_a_tree_of_any_depth_is_looked_through(tmp_path):
    """Deeper than Python may call itself: what lies beside it counts all the same."""
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "data").write_bytes(b"x" * 300_000)
    here = f"{tmp_path}"
    for _ in range(1500):
        here += "/a"
        os.mkdir(here)
    Path(here, "data").write_bytes(b"x" * 300_000)
    try:
        assert 600_000 <= used_bytes(tmp_path) < 700_000
    finally:
        remove_tree(tmp_path / "a")


@pytest.mark.parametrize(
    ("used", "kind", "error"), [(90, Kind.INFRASTRUCTURE, InfrastructureFault), (100, Kind.PACKAGE, BuildFault)]
)
def test_who_used_less_than_was_promised_is_a_victim(used, kind, error, ended):
    """It is given back; who needs more than that fails in kojid's words. Both name disk and sizes."""
    failed = judge(Phase.BUILD, ended(1), SAID, operation=Operation.BUILD, arch="x86_64")
    verdict = on_full_disk(failed, DiskUse(Path("/srv"), 3 * MB, used * MB, 100 * MB))
    assert (verdict.kind, verdict.rule) == (kind, "disk-full")
    said = f"no space left on /srv: 3 MB free, {used} MB used by this build"
    assert verdict.reason == f"build: {said}"
    assert verdict.text == f"{failed.text}\n{said}"
    assert isinstance(failure(verdict), error)
    assert getattr(failure(verdict), "reason", "disk-full") == "disk-full"
    assert not getattr(failure(verdict), "root_may_stay", False)
    assert failure(failed).root_may_stay


def test_other_verdicts_stand(ended):
    """A time-out or memory is what it is, whatever the disk looks like."""
    hungry = judge(Phase.BUILD, ended(1, oom_kills=1), b"", operation=Operation.BUILD, arch="x86_64")
    assert on_full_disk(hungry, DiskUse(Path("/srv"), 0, 0, 1)) is hungry
