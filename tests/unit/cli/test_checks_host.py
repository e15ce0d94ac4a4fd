"""Checks of this machine."""

import pytest

from koji_adjutant.cli.checks.check import Severity
from koji_adjutant.cli.checks.host import check_state_dir, check_subordinate_ids, check_topdir, ids_of, userns_owner
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.config.runtime import PodmanSection


def test_state_dir_to_be_made(tmp_path):
    """A directory that does not exist yet is fine if it can be made; nothing is left behind."""
    assert check_state_dir(tmp_path / "a" / "b", 0) == []
    assert list(tmp_path.iterdir()) == []


def test_state_dir_is_a_file(tmp_path):
    """A file in the way is named."""
    (tmp_path / "file").touch()
    assert "file is not a directory" in check_state_dir(tmp_path / "file" / "x", 0)[0].text


def test_state_dir_not_writable():
    """A place nobody can write is a problem with its remedy; /proc refuses root too."""
    finding = check_state_dir(AdjutantConfig.model_validate({"state_dir": "/proc/none"}).state_dir, 0)[0]
    assert "/proc cannot be written" in finding.text
    assert "set state_dir" in finding.remedy


def test_disk_space(tmp_path):
    """Less than minspace is a problem, since no task would be taken."""
    assert "less than minspace" in check_state_dir(tmp_path, 1 << 40)[0].text


def test_topdir_upload(tmp_path):
    """Without a mount repo tasks are refused, which is a note only."""
    assert check_topdir(str(tmp_path), "upload") == []
    assert check_topdir(str(tmp_path / "none"), "upload")[0].severity is Severity.NOTE


def test_topdir_artifacts(tmp_path):
    """`artifacts: topdir` needs its work directory."""
    assert check_topdir(str(tmp_path), "topdir")[0].severity is Severity.PROBLEM
    (tmp_path / "work").mkdir()
    assert check_topdir(str(tmp_path), "topdir") == []


@pytest.fixture
def ranges(tmp_path):
    """Return a function that writes one subuid file and checks it for three jobs of 100 ids."""

    def run(text):
        file = tmp_path / "subuid"
        file.write_text(text)
        return check_subordinate_ids(PodmanSection(userns_size=1000), "containers", 3, [file])

    return run


def test_subordinate_ids(ranges):
    """Enough for all jobs is fine, for some is a note, for none a problem that says the line to add."""
    assert ranges("root:1:5\ncontainers:100000:3000\n") == []
    few = ranges("containers:100000:2000\n")[0]
    assert (few.severity, "2 builds at once, maxjobs is 3" in few.text) == (Severity.NOTE, True)
    none = ranges("other:100000:65536\n")[0]
    assert (none.severity, none.remedy) == (
        Severity.PROBLEM,
        "Add a line `containers:FIRST:3000` (for 3 builds at once) with FIRST above all other ranges.",
    )


def test_ids_of(tmp_path):
    """Ranges of one owner add up; what is no range is passed over; no file is none."""
    file = tmp_path / "subuid"
    file.write_text("# a comment\ncontainers:1:10\ncontainers:100:20\ncontainers:x\ncontainers:1:many\n\n")
    assert ids_of(file, "containers") == 30
    assert ids_of(tmp_path / "none", "containers") == 0


def test_userns_owner(tmp_path):
    """The owner of the socket decides whose ranges count; a service elsewhere has none here."""

    def config(socket):
        return AdjutantConfig.model_validate({"podman": {"socket": socket}})

    assert userns_owner(config("tcp://h:1")) is None
    assert userns_owner(config("unix:///proc/1/environ")) == "containers"
