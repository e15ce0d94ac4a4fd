"""Checksummed uploads of whole files."""

from xmlrpc.client import Fault

import koji
import pytest

from koji_adjutant.errors import HubError
from koji_adjutant.hub.artifacts import UploadStore
from koji_adjutant.hub.uploads import CHUNK, upload_file
from tests.support.xmlrpc_hub import UploadArea


@pytest.fixture
def area(hub):
    return UploadArea(hub)


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17])
def test_file_arrives_whole(session, area, tmp_path, size):
    """Empty, small and large files arrive byte for byte, and replace what was there."""
    local = tmp_path / "a.rpm"
    local.write_bytes(bytes(index * 7 % 251 for index in range(min(size, 4096))) * (size // 4096 + 1))
    with local.open("r+b") as stream:
        stream.truncate(size)
    area.files["tasks/7/7", "b.rpm"] = b"older and longer" * 1_000_000
    upload_file(session, local, "tasks/7/7", name="b.rpm")
    assert area.files["tasks/7/7", "b.rpm"] == local.read_bytes()


def test_cut_connections_are_ridden_out(session, area, hub, tmp_path):
    """A chunk whose connection was cut is sent again."""
    local = tmp_path / "a.rpm"
    local.write_bytes(b"x" * (2 * CHUNK))
    hub.trouble = [None, "drop", "drop", 503]
    upload_file(session, local, "tasks/7/7")
    assert area.files["tasks/7/7", "a.rpm"] == local.read_bytes()


def test_damage_at_the_hub_is_an_error(session, area, hub, tmp_path):
    """What the hub holds is compared at the end, by size and checksum."""
    local = tmp_path / "a.rpm"
    local.write_bytes(b"hello")
    good = area.check
    for answer, text in (
        (None, "File upload failed"),
        ({"size": 4, "hexdigest": "0"}, "wrong length"),
        ({"size": 5, "hexdigest": "0"}, "wrong checksum"),
    ):
        hub.methods["checkUpload"] = lambda *_args, answer=answer, **_opts: answer
        with pytest.raises(HubError) as caught:
            upload_file(session, local, "tasks/7/7")
        assert text in caught.value.details
        assert caught.value.retryable
    hub.methods["checkUpload"] = good
    hub.methods["rawUpload"] = lambda body, _query: {"size": len(body), "hexdigest": "bad"}
    with pytest.raises(HubError) as caught:
        upload_file(session, local, "tasks/7/7")
    assert "checksum failed" in caught.value.details


def test_refusal_stays_kojis(session, area, tmp_path):
    """A task that is not ours any more is Koji's own fault, for the caller to understand."""
    local = tmp_path / "a.rpm"
    local.write_bytes(b"x")
    area.refuse = Fault(koji.ActionNotAllowed.faultCode, "host 1 does not own task 7")
    with pytest.raises(koji.ActionNotAllowed):
        upload_file(session, local, "tasks/7/7")


def test_link_is_not_uploaded(session, area, tmp_path):
    """A build may leave links to files of the host: they are not followed."""
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "a.log").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic"):
        upload_file(session, tmp_path / "a.log", "tasks/7/7")
    assert area.files == {}


def test_upload_store_returns_the_path_below_work(session, area, tmp_path):
    """The store puts files into the task's directory and takes only names a task makes."""
    local = tmp_path / "x"
    local.write_bytes(b"rpm")
    store = UploadStore(session, 120345)
    assert store.put(local, "foo-1-1.noarch.rpm") == "tasks/345/120345/foo-1-1.noarch.rpm"
    assert area.files["tasks/345/120345", "foo-1-1.noarch.rpm"] == b"rpm"
    with pytest.raises(ValueError, match="no task makes"):
        store.put(local, "../foo.rpm")
