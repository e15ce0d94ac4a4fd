"""Archives made on the way."""

from __future__ import annotations

import io
import tarfile

import pytest

from koji_adjutant.container.tar_stream import tar_of
from koji_adjutant.errors import CopyError


def _read(source, name="target", mode=0o640):
    return tarfile.open(fileobj=io.BytesIO(b"".join(tar_of(source, name, mode))))


def test_bytes():
    """Bytes become one file of root with the mode asked for."""
    with _read(b"content") as tar:
        (member,) = tar
        assert (member.name, member.mode, member.uid) == ("target", 0o640, 0)
        assert tar.extractfile(member).read() == b"content"


def test_tree(tmp_path):
    """A tree keeps modes and links, below the target's name, in a fixed order."""
    (tmp_path / "sub").mkdir(mode=0o700)
    (tmp_path / "sub" / "file").write_bytes(b"x" * 2_000_000)
    (tmp_path / "link").symlink_to("/etc/passwd")
    with _read(tmp_path) as tar:
        found = [(member.name, member.type, member.linkname) for member in tar]
    assert found == [
        ("target", tarfile.DIRTYPE, ""),
        ("target/link", tarfile.SYMTYPE, "/etc/passwd"),
        ("target/sub", tarfile.DIRTYPE, ""),
        ("target/sub/file", tarfile.REGTYPE, ""),
    ]


def test_pipe_in_a_tree(tmp_path):
    """What is no file, directory or link is refused, without waiting for a writer."""
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CopyError) as caught:
        _read(tmp_path)
    assert caught.value.reason == "not-regular"


def test_missing_source(tmp_path):
    """A source that is not there is named."""
    with pytest.raises(CopyError) as caught:
        _read(tmp_path / "nosuch")
    assert "nosuch" in caught.value.brief
