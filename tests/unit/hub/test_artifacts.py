"""Files put into a mounted topdir."""

import os
import stat

import pytest

from koji_adjutant.errors import ConfigurationError, HubError
from koji_adjutant.hub.artifacts import TopdirStore
from koji_adjutant.hub.names import plain_name


@pytest.fixture
def topdir(tmp_path):
    (tmp_path / "topdir" / "work").mkdir(parents=True)
    return tmp_path / "topdir"


@pytest.fixture
def local(tmp_path):
    path = tmp_path / "built"
    path.write_bytes(b"content" * 1000)
    path.chmod(0o600)
    return path


def test_file_is_put_into_the_tasks_directory(topdir, local):
    """It lies where the hub looks, readable, and nothing else is left beside it; a repeat replaces it."""
    store = TopdirStore(topdir, 10007)
    assert store.put(local, "a-1-1.noarch.rpm") == "tasks/7/10007/a-1-1.noarch.rpm"
    local.write_bytes(b"second")
    store.put(local, "a-1-1.noarch.rpm")
    directory = topdir / "work/tasks/7/10007"
    assert [path.name for path in directory.iterdir()] == ["a-1-1.noarch.rpm"]
    assert (directory / "a-1-1.noarch.rpm").read_bytes() == b"second"
    assert stat.S_IMODE((directory / "a-1-1.noarch.rpm").stat().st_mode) == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_and_directories_get_the_owner_of_work(topdir, local):
    """The hub's web server owns work/ and must be able to move what lies below it."""
    os.chown(topdir / "work", 1234, 1235)
    TopdirStore(topdir, 7).put(local, "build.log")
    for path in ("work/tasks", "work/tasks/7", "work/tasks/7/7", "work/tasks/7/7/build.log"):
        found = (topdir / path).stat()
        assert (found.st_uid, found.st_gid) == (1234, 1235)


@pytest.mark.parametrize("link", ["work/tasks", "work/tasks/7", "work/tasks/7/7", "work/tasks/7/7/a.log"])
def test_links_are_refused(topdir, local, tmp_path, link):
    """No link on the way or in place of the file is followed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (topdir / link).parent.mkdir(parents=True, exist_ok=True)
    (topdir / link).symlink_to(elsewhere)
    with pytest.raises(HubError, match=r"a\.log"):
        TopdirStore(topdir, 7).put(local, "a.log")
    assert list(elsewhere.iterdir()) == []


def test_source_that_is_a_link_is_refused(topdir, local, tmp_path):
    """A build's link to a file of the host is not stored."""
    (tmp_path / "link").symlink_to(local)
    with pytest.raises(OSError, match="symbolic"):
        TopdirStore(topdir, 7).put(tmp_path / "link", "a.log")


def test_missing_mount_is_a_configuration_error(tmp_path, local):
    """An absent topdir is never made."""
    with pytest.raises(ConfigurationError, match="mounted"):
        TopdirStore(tmp_path / "nowhere", 7).put(local, "a.log")
    assert not (tmp_path / "nowhere").exists()


def test_failed_write_leaves_nothing(topdir, local, monkeypatch):
    """A full disk leaves no half file under the name nor beside it."""

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("koji_adjutant.hub.artifacts.shutil.copyfileobj", full)
    with pytest.raises(HubError, match="No space left") as caught:
        TopdirStore(topdir, 7).put(local, "a.log")
    assert caught.value.retryable
    assert list((topdir / "work/tasks/7/7").iterdir()) == []


def test_files_of_a_repository(topdir, local):
    """A directory below the task's, with any plain name where the store says so; no way up."""
    store = TopdirStore(topdir, 7, below="debug/repodata", names=plain_name)
    assert store.put(local, "abc-primary.xml.zck") == "tasks/7/7/debug/repodata/abc-primary.xml.zck"
    assert (topdir / "work/tasks/7/7/debug/repodata/abc-primary.xml.zck").is_file()
    for name in ("a/b", ".hidden", ""):
        with pytest.raises(ValueError, match="no task makes"):
            store.put(local, name)
    with pytest.raises(ValueError, match="no task makes"):
        TopdirStore(topdir, 7).put(local, "abc-primary.xml.zck")
    for below in ("..", "a/../..", "/etc", "a//b"):
        with pytest.raises(ValueError, match="no directory"):
            TopdirStore(topdir, 7, below=below)
