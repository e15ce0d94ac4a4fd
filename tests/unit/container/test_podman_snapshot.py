"""Roots of user namespaces mapped back for an image."""

from __future__ import annotations

import io
import struct
import tarfile

import pytest

from koji_adjutant.container.podman_payload import IdRange
from koji_adjutant.container.podman_snapshot import inside, mapped_back, plain_capability

RANGES = (IdRange(0, 200000, 65536),)
V2 = struct.pack("<I4I", 0x02000001, 1 << 13, 0, 0, 0)
V3 = struct.pack("<I4II", 0x03000001, 1 << 13, 0, 0, 0, 200000)


def _archive(*members):
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return result.getvalue()


def _member(name, uid, kind=tarfile.REGTYPE, **attributes):
    info = tarfile.TarInfo(name)
    info.uid = info.gid = uid
    info.type = kind
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def _mapped(archive):
    return tarfile.open(fileobj=io.BytesIO(b"".join(mapped_back(io.BytesIO(archive), RANGES, RANGES))))


@pytest.mark.parametrize(
    ("host", "container"), [(200000, 0), (201000, 1000), (265535, 65535), (0, 65534), (265536, 65534)]
)
def test_ids(host, container):
    """Ids of the range become the container's own, others nobody."""
    assert inside(host, RANGES) == container


def test_members_keep_everything_but_their_owner():
    """Names in any bytes, modes, times, links and contents survive; owners are mapped."""
    archive = _archive(
        (_member("dir", 200000, tarfile.DIRTYPE, mode=0o1777), b""),
        (_member("dir/setuid", 201000, mode=0o4755, mtime=1234567890.5), b"x" * 3_000_000),
        (_member("dir/hard", 200000, tarfile.LNKTYPE, linkname="dir/setuid"), b""),
        (_member("dir/link", 200000, tarfile.SYMTYPE, linkname="../" * 60 + "target"), b""),
        (_member("dir/\udcff" + "y" * 150, 200000), b"odd"),
        (_member("empty", 200000), b""),
    )
    with _mapped(archive) as tar:
        found = {member.name: member for member in tar}
        assert [member.uid for member in found.values()] == [0, 1000, 0, 0, 0, 0]
        assert (found["dir"].mode, found["dir/setuid"].mode) == (0o1777, 0o4755)
        assert found["dir/setuid"].mtime == 1234567890.5
        assert found["dir/hard"].linkname == "dir/setuid"
        assert found["dir/link"].linkname == "../" * 60 + "target"
        assert tar.extractfile(found["dir/setuid"]).read() == b"x" * 3_000_000
        assert tar.extractfile(found["dir/\udcff" + "y" * 150]).read() == b"odd"


def test_large_ids_are_mapped():
    """Ids that need an extended header are mapped as well, and the old ones do not come back by it."""
    big = (IdRange(0, 5_000_000, 65536),)
    data = b"".join(mapped_back(io.BytesIO(_archive((_member("f", 5_000_007), b"x"))), big, big))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.next().uid == 7


def test_capabilities_of_a_namespace():
    """A capability noted for the namespace's root becomes one of root; others stay."""
    assert plain_capability(V3, RANGES) == V2
    assert plain_capability(V2, RANGES) == V2
    foreign = V3[:-4] + struct.pack("<I", 7)
    assert plain_capability(foreign, RANGES) == foreign


def test_capability_in_a_member():
    """The attribute is changed where it stands in the archive."""
    info = _member("ping", 200000)
    info.pax_headers = {"SCHILY.xattr.security.capability": V3.decode("utf-8", "surrogateescape")}
    with _mapped(_archive((info, b"x"))) as tar:
        found = tar.next().pax_headers["SCHILY.xattr.security.capability"]
        assert found.encode("utf-8", "surrogateescape") == V2


def test_cut_archive_is_an_error():
    """An archive that ends within a file is not taken for a whole one."""
    archive = _archive((_member("f", 200000), b"x" * 5000))
    with pytest.raises(tarfile.TarError):
        b"".join(mapped_back(io.BytesIO(archive[:2000]), RANGES, RANGES))
