"""Files of a build on this machine: nothing it puts in the way leads anywhere else."""

import contextlib
import io
import os
import socket

import pytest

from koji_adjutant.buildroot.host_files import HostFiles
from koji_adjutant.errors import CopyError


@pytest.fixture
def files(tmp_path):
    (tmp_path / "build" / "RPMS").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    return HostFiles(tmp_path / "build", "/builddir/build")


@pytest.fixture
def rpms(tmp_path):
    return tmp_path / "build" / "RPMS"


def read(files, name, max_bytes=100):
    stream = io.BytesIO()
    files.copy_from(f"/builddir/build/RPMS/{name}", stream, max_bytes=max_bytes)
    return stream.getvalue()


def test_a_regular_file_comes_out_whole(files, rpms):
    """The content is copied byte for byte, odd names included."""
    (rpms / "a b\n.rpm").write_bytes(b"\0\xffdata")
    assert read(files, "a b\n.rpm") == b"\0\xffdata"


def test_a_listing_tells_regular_files_from_the_rest(files, rpms):
    """Links, directories and pipes are listed, but not as regular files."""
    (rpms / "x.rpm").write_bytes(b"123")
    (rpms / "link.rpm").symlink_to("x.rpm")
    os.mkfifo(rpms / "pipe.rpm")
    listed = {entry.name: (entry.size, entry.is_regular) for entry in files.list("/builddir/build/RPMS", max_entries=9)}
    assert listed["x.rpm"] == (3, True)
    assert not listed["link.rpm"][1]
    assert not listed["pipe.rpm"][1]


@pytest.mark.parametrize("target", ["../../secret", "/etc/passwd", "x.rpm"])
def test_no_link_is_followed(files, rpms, target):
    """A link is refused even if it leads to a neighbour."""
    (rpms / "x.rpm").write_bytes(b"1")
    (rpms / "link.rpm").symlink_to(target)
    with pytest.raises(CopyError) as error:
        read(files, "link.rpm")
    assert error.value.reason == "link-outside"


def test_a_directory_that_became_a_link_is_refused(files, rpms, tmp_path):
    """A link in the middle of the path leads nowhere, neither for reading nor for writing."""
    rpms.rmdir()
    rpms.symlink_to(tmp_path)
    with pytest.raises(CopyError):
        read(files, "secret")
    with pytest.raises(CopyError):
        files.list("/builddir/build/RPMS", max_entries=9)
    with pytest.raises(CopyError):
        files.put(tmp_path / "secret", "/builddir/build/RPMS/secret")


def test_a_pipe_does_not_block(files, rpms):
    """A pipe without a writer is refused at once."""
    os.mkfifo(rpms / "pipe.rpm")
    with pytest.raises(CopyError) as error:
        read(files, "pipe.rpm")
    assert error.value.reason == "not-regular"


def test_a_socket_is_refused(files, rpms):
    """A socket is no file."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(rpms / "s.rpm"))
        with pytest.raises(CopyError):
            read(files, "s.rpm")


def test_a_file_beyond_the_bound_is_named(files, rpms):
    """More bytes than allowed are an error, not a shorter file."""
    (rpms / "x.rpm").write_bytes(b"12345")
    with pytest.raises(CopyError, match=r"x\.rpm.*larger than the 4 bytes") as error:
        read(files, "x.rpm", max_bytes=4)
    assert error.value.reason == "too-large"


def test_too_many_entries_are_an_error(files, rpms):
    """A directory with more entries than allowed is not listed in part."""
    for number in range(3):
        (rpms / str(number)).touch()
    with pytest.raises(CopyError):
        files.list("/builddir/build/RPMS", max_entries=2)


def test_what_is_missing_is_said_to_be(files):
    """A missing file and a missing directory have the reason `missing`."""
    with pytest.raises(CopyError) as error:
        read(files, "none.rpm")
    assert error.value.reason == "missing"


def test_a_file_is_put_in_the_place_of_what_stands_there(files, rpms, tmp_path):
    """Writing replaces a link instead of writing through it."""
    (rpms / "in.src.rpm").symlink_to(tmp_path / "secret")
    source = tmp_path / "source"
    source.write_bytes(b"package")
    files.put(source, "/builddir/build/RPMS/in.src.rpm")
    assert (rpms / "in.src.rpm").read_bytes() == b"package"
    assert (tmp_path / "secret").read_text() == "secret"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("../../secret"), lambda path: path.touch()])
def test_what_stands_in_for_the_fresh_file_is_removed(files, rpms, tmp_path, make):
    """A pipe does not block, a link is not followed, a file is not kept: the file put is one of its own."""
    source = tmp_path / "source"
    source.write_bytes(b"package")
    make(rpms / ".in.src.rpm.new")
    with contextlib.suppress(OSError):
        (rpms / "other").hardlink_to(rpms / ".in.src.rpm.new")
    files.put(source, "/builddir/build/RPMS/in.src.rpm")
    assert (rpms / "in.src.rpm").read_bytes() == b"package"
    assert (rpms / "in.src.rpm").stat().st_nlink == 1
    assert (tmp_path / "secret").read_text() == "secret"


@pytest.mark.parametrize("name", ["in.src.rpm", ".in.src.rpm.new"])
def test_a_directory_in_the_way_is_an_error(files, rpms, tmp_path, name):
    """It is not removed, and said as an error of copying."""
    (rpms / name).mkdir()
    with pytest.raises(CopyError) as error:
        files.put(tmp_path / "secret", "/builddir/build/RPMS/in.src.rpm")
    assert error.value.reason == "link-outside"


def test_it_knows_what_it_covers(files):
    """Only paths below its mount point are its own."""
    assert files.covers("/builddir/build/RPMS/x")
    assert not files.covers("/builddir/buildx")
