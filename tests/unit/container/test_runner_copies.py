"""`adjutant-runner get` and `list`, the real program, over directories that a build has made."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from koji_adjutant.container.interface import CopiedFile
from koji_adjutant.container.pod_copies import ListDecoder, check_end, get_argv, list_argv, quote_path
from koji_adjutant.container.pod_frames import End
from koji_adjutant.errors import CopyError
from tests.support.runner_calls import RUNNER, Called, call, needs_runner

pytestmark = needs_runner

ODD_NAMES = ["a b", "$x", "q'\"", "new\nline", "ünï☃", "-dash", "%41", "a&b=c", "\udcff\udcfe", "x" * 255, "...", "\\"]


def get(path: Path | str, most: int = 1 << 26, root: str = "/") -> Called:
    """Fetch one file."""
    return call(get_argv(RUNNER, str(path), most, root))


def list_names(path: Path | str, most: int = 1000, root: str = "/") -> list[CopiedFile]:
    """List one directory as the daemon does."""
    found = call(list_argv(RUNNER, str(path), most, root))
    check_end(found.end, str(path), "task-1", most)
    decoder = ListDecoder(str(path), most)
    for start in range(0, len(found.out), 7):
        decoder.feed(found.out[start : start + 7])
    return decoder.finish(found.end)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 5_000_000])
def test_file_comes_whole(tmp_path: Path, size: int) -> None:
    """Any size, byte for byte."""
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    found = get(tmp_path / "file", size)
    assert (found.out, found.end.end, found.end.size, found.code) == (data, End.OK, size, 0)


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
def test_odd_names(tmp_path: Path, name: str) -> None:
    """Names in any bytes are fetched and listed."""
    (tmp_path / name).write_bytes(b"odd")
    assert get(tmp_path / name).out == b"odd"
    assert list_names(tmp_path) == [CopiedFile(name, 3, is_regular=True)]


@pytest.mark.parametrize("target", ["/etc/passwd", "file", "../..", "nowhere"])
def test_links_are_not_followed(tmp_path: Path, target: str) -> None:
    """A link is refused at the end of a path and within it, wherever it leads."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(target)
    for path in ("link", "link/etc/passwd", "link/"):
        found = get(tmp_path / path)
        assert (found.out, found.end.end) == (b"", End.LINK_OUTSIDE)
    assert call(list_argv(RUNNER, f"{tmp_path}/link", 9)).end.end is End.LINK_OUTSIDE


def test_magic_links_are_not_followed() -> None:
    """Those of /proc neither: they lead out of any root."""
    assert get("/proc/self/root/etc/passwd").end.end is End.LINK_OUTSIDE
    assert get("/proc/self/exe").end.end is End.LINK_OUTSIDE


def test_root_of_another_container(tmp_path: Path) -> None:
    """The root itself may be reached through a link, as that of another container is; its contents may not."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "up").symlink_to("..")
    root = f"/proc/{os.getpid()}/root{tmp_path}"
    assert get("/file", root=root).out == b"x"
    assert get("/up/x", root=root).end.end is End.LINK_OUTSIDE
    assert [each.name for each in list_names("/", root=root)] in (["file", "up"], ["up", "file"])


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    """Directories, pipes, sockets and devices are refused, and nobody waits for a writer."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "socket", "/dev/zero"):
        found = get(path)
        assert (found.out, found.end.end) == (b"", End.NOT_REGULAR), path


@pytest.mark.parametrize("name", ["nosuch", "nosuch/deep", "file/deep", "y" * 300])
def test_missing(tmp_path: Path, name: str) -> None:
    """What is not there is missing, also below a file."""
    (tmp_path / "file").write_bytes(b"x")
    assert get(tmp_path / name).end.end is End.MISSING
    assert call(list_argv(RUNNER, f"{tmp_path}/{name}", 9)).end.end is End.MISSING


def test_too_large(tmp_path: Path) -> None:
    """Refused with its size before a byte is sent."""
    (tmp_path / "file").write_bytes(b"12345")
    found = get(tmp_path / "file", 4)
    assert (found.out, found.end.end, found.end.size) == (b"", End.TOO_LARGE, 5)


def test_file_that_is_larger_than_it_says() -> None:
    """A file whose size is not known beforehand is cut at the limit and called too large, never whole."""
    assert Path("/proc/self/status").stat().st_size == 0
    found = get("/proc/version", 10)
    assert found.end.end is End.TOO_LARGE
    assert len(found.out) <= 11
    assert get("/proc/version").out == Path("/proc/version").read_bytes()


def test_list_has_kinds_and_sizes(tmp_path: Path) -> None:
    """One level: files with their sizes, and what else there is."""
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    found = {each.name: each.size if each.is_regular else None for each in list_names(tmp_path)}
    assert found == {"file": 5, "sub": None, "link": None, "pipe": None}


def test_list_is_bounded(tmp_path: Path) -> None:
    """As many entries as allowed, in several frames; one more is an error."""
    for number in range(1000):
        (tmp_path / f"{number:0200d}").write_bytes(b"")
    assert len(list_names(tmp_path, 1000)) == 1000
    with pytest.raises(CopyError) as caught:
        list_names(tmp_path, 999)
    assert caught.value.reason == "too-large"


@pytest.mark.parametrize(
    "argv", [["get", "/x"], ["get", "/%4", "1"], ["get", "/%00", "1"], ["get", "/x", "-1"], ["list", "/"]]
)
def test_wrong_calls(argv: list[str]) -> None:
    """A call that cannot be understood ends with 64 and without a last frame."""
    with pytest.raises(Exception, match="unknown"):
        call([RUNNER, *argv])


def test_parent_directory_is_refused_on_both_sides() -> None:
    """`..` is none of our paths."""
    assert call([RUNNER, "get", "/usr/../etc/passwd", "10000"]).end.end is End.MISSING
    with pytest.raises(CopyError):
        get("/usr/../etc/passwd")


def test_quoted_path_is_plain_text() -> None:
    """What stands in a URL is ASCII without anything special."""
    assert quote_path("/a b/%\n\udcff/ü") == "/a%20b/%25%0A%FF/%C3%BC"
