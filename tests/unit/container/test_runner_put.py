"""`adjutant-runner put`, the real program, into directories that a build has prepared."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from koji_adjutant.container.pod_copies import check_end, put_argv
from koji_adjutant.container.pod_frames import End, FrameWriter
from koji_adjutant.container.pod_put import put_stream
from koji_adjutant.errors import CopyError
from tests.support.runner_calls import RUNNER, Called, call, needs_root, needs_runner

pytestmark = needs_runner

ODD_NAMES = ["a b", "$x", "q'\"", "new\nline", "ünï☃", "-dash", "%41", "\udcff\udcfe", "x" * 255]


def put(directory: Path, source: Path | bytes, name: str = "file", mode: int = 0o644) -> Called:
    """Put one source."""
    return put_bytes(directory, b"".join(put_stream(source, name, mode)))


def put_bytes(directory: Path, stream: bytes) -> Called:
    """Put a stream as it is."""
    return call(put_argv(RUNNER, str(directory)), stream)


def entries(*frames: tuple[bytes, bytes]) -> bytes:
    """A stream of frames of a test's own."""
    writer = FrameWriter()
    return b"".join(writer.frame(kind, data) for kind, data in frames)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=1m", "adjutant-test", str(disk)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode != 0:
        pytest.skip("not here: no file system may be mounted")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 5_000_000])
def test_file_arrives_whole(tmp_path: Path, size: int) -> None:
    """Any size, with the mode asked for."""
    data = os.urandom(size)
    found = put(tmp_path, data, mode=0o4750)
    assert (found.end.end, found.code) == (End.OK, 0)
    assert (tmp_path / "file").read_bytes() == data
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o4750
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
def test_odd_names(tmp_path: Path, name: str) -> None:
    """Names in any bytes, for the directory as well."""
    directory = tmp_path / name
    directory.mkdir()
    assert put(directory, b"odd", name).end.end is End.OK
    assert (directory / name).read_bytes() == b"odd"


def test_tree_with_modes_links_and_times(tmp_path: Path) -> None:
    """A tree arrives as it is; links are neither followed nor resolved."""
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub").chmod(0o750)
    (tree / "sub" / "run").write_bytes(b"#!")
    (tree / "sub" / "run").chmod(0o755)
    (tree / "empty").touch()
    os.utime(tree / "empty", (1_000_000, 1_000_000))
    (tree / "link").symlink_to("../../etc/passwd")
    (tmp_path / "to").mkdir()
    assert put(tmp_path / "to", tree, "copy").end.end is End.OK
    copy = tmp_path / "to" / "copy"
    modes = [stat.S_IMODE((copy / name).stat().st_mode) for name in ("sub", "sub/run")]
    assert modes == [0o750, 0o755]
    assert (copy / "empty").stat().st_mtime == 1_000_000
    assert os.readlink(copy / "link") == "../../etc/passwd"
    assert put(tmp_path / "to", tree, "copy").end.end is End.OK, "a second time over the first"


def test_file_is_replaced_at_once(tmp_path: Path) -> None:
    """Who has the old file open keeps it whole."""
    (tmp_path / "file").write_bytes(b"old and long")
    with (tmp_path / "file").open("rb") as old:
        assert put(tmp_path, b"new").end.end is End.OK
        assert old.read() == b"old and long"
    assert (tmp_path / "file").read_bytes() == b"new"


def test_hostile_links(tmp_path: Path) -> None:
    """Nothing is written through a link: one in the way ends it, one in the place of a file is replaced."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "file").write_bytes(b"precious")
    (inside / "file").symlink_to(outside / "file")
    (inside / "sub").symlink_to(outside)
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    assert put(inside, b"x", "sub/new").end.end is End.LINK_OUTSIDE
    assert put(inside, tmp_path / "tree", "sub").end.end is End.LINK_OUTSIDE
    assert put(inside, b"x", "../outside/new").end.end is End.MISSING
    assert put(inside / "sub", b"x", "new").end.end is End.LINK_OUTSIDE
    assert put(inside, b"ours", "file").end.end is End.OK
    assert (inside / "file").read_bytes() == b"ours"
    assert not (inside / "file").is_symlink()
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"file": b"precious"}


def test_link_put_before_cannot_be_written_through(tmp_path: Path) -> None:
    """Links of the stream itself are no way out either."""
    stream = entries((b"L", b"777 0 0 out\0/etc"), (b"F", b"644 0 0 out/adjutant-test"), (b"S", b""))
    assert put_bytes(tmp_path, stream).end.end is End.LINK_OUTSIDE
    assert not Path("/etc/adjutant-test").exists()


def test_directory_in_the_place_of_a_file(tmp_path: Path) -> None:
    """Neither replaces the other."""
    (tmp_path / "file").mkdir()
    (tmp_path / "plain").write_bytes(b"")
    assert put(tmp_path, b"x").end.end is End.NOT_REGULAR
    assert put_bytes(tmp_path, entries((b"D", b"755 0 0 plain"), (b"S", b""))).end.end is End.MISSING
    assert sorted(os.listdir(tmp_path)) == ["file", "plain"]


def test_no_such_directory(tmp_path: Path) -> None:
    """Directories are not made on the way; the name is in the error."""
    found = put(tmp_path / "nosuch", b"x" * 1_000_000)
    assert found.end.end is End.MISSING
    assert "nosuch" in found.end.message
    assert put(tmp_path, b"x", "nosuch/file").end.end is End.MISSING


def test_every_cut_leaves_no_half_file(tmp_path: Path) -> None:
    """A stream that ends early is broken, wherever; what was there stays, and nothing else is left."""
    (tmp_path / "file").write_bytes(b"old")
    stream = b"".join(put_stream(b"new" * 10, "file", 0o644))
    content = len(stream) - len(entries((b"S", b"")))
    for length in range(0, len(stream), 3):
        found = put_bytes(tmp_path, stream[:length])
        assert found.end.end is End.BROKEN_STREAM
        assert os.listdir(tmp_path) == ["file"]
        if length < content:
            assert (tmp_path / "file").read_bytes() == b"old"


def test_changed_byte_is_noticed(tmp_path: Path) -> None:
    """A byte that is wrong anywhere makes the stream a broken one before anything of its frame is used."""
    stream = b"".join(put_stream(b"content", "file", 0o644))
    for index in range(0, len(stream), 5):
        changed = stream[:index] + bytes([stream[index] ^ 1]) + stream[index + 1 :]
        assert put_bytes(tmp_path, changed).end.end is End.BROKEN_STREAM
    assert all(path.read_bytes() == b"content" for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    "frame",
    [(b"O", b"x"), (b"X", b""), (b"F", b"99 0 0 x"), (b"F", b"77777 0 0 x"), (b"F", b"644 0 x"), (b"D", b"")],
    ids=str,
)
def test_frame_that_makes_no_sense(tmp_path: Path, frame: tuple[bytes, bytes]) -> None:
    """Bytes without a file, unknown types and unreadable entries end it."""
    assert put_bytes(tmp_path, entries(frame, (b"S", b""))).end.end is End.BROKEN_STREAM
    assert os.listdir(tmp_path) == []


def test_more_bytes_than_announced(tmp_path: Path) -> None:
    """A file has the size it was announced with."""
    for size in (b"1", b"3"):
        stream = entries((b"F", b"644 0 %s x" % size), (b"O", b"ab"), (b"S", b""))
        assert put_bytes(tmp_path, stream).end.end is End.BROKEN_STREAM
    assert os.listdir(tmp_path) == []


@needs_root
def test_full_disk(small_disk: Path) -> None:
    """No space left is told as that, naming the file; the rest of a long stream does not hang, the old file stays."""
    (small_disk / "file").write_bytes(b"old")
    found = put(small_disk, bytes(20_000_000))
    assert found.end.end is End.DISK_FULL
    with pytest.raises(CopyError) as caught:
        check_end(found.end, "/mnt/file", "task-1")
    assert caught.value.reason == "disk-full"
    assert "/mnt/file" in caught.value.brief
    assert (small_disk / "file").read_bytes() == b"old"
    assert os.listdir(small_disk) == ["file"]


def test_source_that_cannot_be_sent(tmp_path: Path) -> None:
    """A pipe of our own is refused, a missing file named."""
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("pipe", "not-regular"), ("nosuch", "missing")):
        with pytest.raises(CopyError) as caught:
            list(put_stream(tmp_path / name, "file", 0o644))
        assert caught.value.reason == reason
