"""A checked-out tree is judged and walked without leaving it."""

import os
import socket

import koji
import pytest

from koji_adjutant.scm.bounded import CheckoutLimits
from koji_adjutant.scm.tree import MAX_DEPTH, check_tree, copy_tree, read_text, resolve


def test_files_directories_and_links_pass(tmp_path, limits):
    """Links may lead anywhere: nobody follows them here; names may hold anything."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / os.fsdecode(b"\xff\n")).write_text("x")
    (tmp_path / "link").symlink_to("/dev/zero")
    check_tree(tmp_path, limits, what="h:/r")


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_file_is_refused(tmp_path, limits, kind, monkeypatch):
    """By its name, printable, and what it is."""
    monkeypatch.chdir(tmp_path)
    if kind == "pipe":
        os.mkfifo("a\x1b[2J")
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("a\x1b[2J")
    with pytest.raises(koji.BuildError) as error:
        check_tree(tmp_path, limits, what="h:/r")
    assert str(error.value) == f"checkout of h:/r holds 'a\\x1b[2J', which is a {kind}"


def test_the_top_is_no_link(tmp_path, limits):
    """A container may have put a link to the host's files in the place of its checkout."""
    (tmp_path / "top").symlink_to("/etc")
    with pytest.raises(koji.BuildError, match="is no directory"):
        check_tree(tmp_path / "top", limits, what="h:/r")


def test_bounds(tmp_path, limits):
    """Files, bytes (of a file with holes, too) and depth have bounds."""
    for number in range(21):
        (tmp_path / str(number)).touch()
    with pytest.raises(koji.BuildError, match="larger than 1MiB or 20 files"):
        check_tree(tmp_path, limits, what="h:/r")
    check_tree(tmp_path, CheckoutLimits(1.0, 100, 21), what="h:/r")
    os.truncate(tmp_path / "0", 101)
    with pytest.raises(koji.BuildError, match="larger than"):
        check_tree(tmp_path, CheckoutLimits(1.0, 100, 21), what="h:/r")


def test_depth(tmp_path):
    """Recursion of those who walk the tree later is bounded."""
    deep = tmp_path.joinpath(*["d"] * (MAX_DEPTH + 1))
    deep.mkdir(parents=True)
    with pytest.raises(koji.BuildError, match="deeper than"):
        check_tree(tmp_path, CheckoutLimits(1.0, 100, 1000), what="h:/r")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("dir/file", "dir/file"),
        ("./dir//file", "dir/file"),
        ("dir/../dir/file", "dir/file"),
        ("inside/file", "dir/file"),
        ("dir/up", "file"),
        ("dir/absolute", None),
        ("dir/out", None),
        ("dir/circle", None),
        ("..", None),
        ("dir/../../x", None),
        ("absent", None),
        ("file/below", None),
    ],
)
def test_resolve_stays_below(tmp_path, path, found):
    """Links within the tree are followed; nothing else leads anywhere."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "file").write_text("inner")
    (tmp_path / "file").write_text("outer")
    (tmp_path / "inside").symlink_to("dir")
    for name, target in {"up": "../file", "absolute": "/etc/passwd", "out": "../../x", "circle": "circle"}.items():
        (tmp_path / "dir" / name).symlink_to(target)
    assert resolve(tmp_path, path) == (None if found is None else tmp_path / found)


def test_read_text(tmp_path):
    """Only a regular file of the tree, only so much of it, in whatever encoding."""
    (tmp_path / "spec").write_bytes(b"Name: \xe9\n" + b"x" * 100)
    (tmp_path / "link").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe")
    assert read_text(tmp_path, "spec", max_bytes=8) == "Name: \N{REPLACEMENT CHARACTER}\n"
    assert [read_text(tmp_path, name) for name in ("link", "pipe", "absent", ".")] == [None] * 4


def test_a_copy_has_nothing_of_gits_own(tmp_path):
    """Links stay links; directories of git's are left out wherever they are, however they are written."""
    (tmp_path / "top" / "a" / ".GIT").mkdir(parents=True)
    (tmp_path / "top" / ".git").write_text("gitdir: /elsewhere\n")
    (tmp_path / "top" / "a" / "link").symlink_to("/etc/passwd")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "old").touch()
    copy_tree(tmp_path / "top", tmp_path / "copy")
    found = sorted(str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*"))
    assert found == ["a", "a/link"]
    assert os.readlink(tmp_path / "copy" / "a" / "link") == "/etc/passwd"
