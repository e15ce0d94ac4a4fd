"""A tree that is listed in one place and made anew in another: whole, and nothing outside of it touched."""

import io
import os
import shutil
import stat
import subprocess

import pytest

from koji_adjutant.errors import CopyError
from koji_adjutant.scm.tree_transfer import (
    CONTENT,
    LISTED,
    NAMES,
    TARGETS,
    Entry,
    content_size,
    listing_command,
    make_tree,
    parse_listing,
)

BUSYBOX = shutil.which("busybox")
FILE, DIRECTORY, LINK = 0o100644, 0o40755, 0o120777


def transfer(tree, directory, target):
    """List a tree with the script and make it anew; return its entries."""
    subprocess.run(listing_command(BUSYBOX, str(tree), str(directory)), check=True)
    entries = parse_listing(*((directory / name).read_bytes() for name in (LISTED, NAMES, TARGETS)))
    with (directory / CONTENT).open("rb") as content:
        make_tree(entries, content, target)
    return entries


def shown(top):
    """All of a tree: kind, mode and content by name."""
    found = {}
    for path in sorted(top.rglob("*")):
        mode = path.lstat().st_mode
        content = os.readlink(path) if stat.S_ISLNK(mode) else path.read_bytes() if stat.S_ISREG(mode) else None
        found[os.fsencode(path.relative_to(top))] = (stat.S_IFMT(mode), bool(mode & 0o100), content)
    return found


@pytest.mark.skipif(BUSYBOX is None, reason="no busybox")
def test_a_tree_comes_whole(tmp_path):
    """Odd names, empty files, modes, links to nothing and out of the tree; what stood in its place goes."""
    tree = tmp_path / "tree"
    (tree / "a" / "b c").mkdir(parents=True)
    (tree / "empty").mkdir()
    (tree / "a" / "b c" / "new\nline").write_bytes(b"x" * 70_000)
    (tree / "a" / "-n").write_bytes(b"\0\xff\n")
    (tree / "nothing").touch()
    with open(os.fsencode(tree) + b"/\xff\xfe", "wb") as stream:
        stream.write(b"not UTF-8")
    (tree / "run").write_text("#!")
    (tree / "run").chmod(0o755)
    (tree / "link").symlink_to("a/b c")
    (tree / "out").symlink_to("/etc/passwd")
    (tree / "odd").symlink_to("to\nno where")
    target = tmp_path / "target"
    target.mkdir()
    (target / "old").touch()
    entries = transfer(tree, tmp_path / "listing", target)
    assert shown(target) == shown(tree)
    assert content_size(entries) == 70_000 + 3 + 9 + 2


@pytest.mark.skipif(BUSYBOX is None, reason="no busybox")
def test_a_tree_of_many_files_comes_whole(tmp_path):
    """More names than one command line holds."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(3000):
        (tree / f"{'n' * 100}{number}").write_text(str(number))
    transfer(tree, tmp_path / "listing", tmp_path / "target")
    assert shown(tmp_path / "target") == shown(tree)


@pytest.mark.parametrize(
    ("listed", "names", "targets"),
    [
        (b"81a4 1\n", b"", b""),
        (b"81a4 1\n", b"./a", b""),
        (b"81a4 1\n", b"./../a\0", b""),
        (b"81a4 1\n", b"/a\0", b""),
        (b"81a4 1\n", b"./a//b\0", b""),
        (b"81a4 1\n", b"./.\0", b""),
        (b"zz 1\n", b"./a\0", b""),
        (b"81a4 -1\n", b"./a\0", b""),
        (b"81a4\n", b"./a\0", b""),
        (b"a1ff 1\n", b"./a\0", b""),
    ],
)
def test_what_is_no_listing_is_refused(listed, names, targets):
    """Names that lead elsewhere, and texts that are cut or do not fit each other."""
    with pytest.raises(CopyError, match="listing"):
        parse_listing(listed, names, targets)


@pytest.mark.parametrize(
    "entries",
    [
        [Entry("a", LINK, 4, "/etc"), Entry("a/b", FILE, 1)],
        [Entry("a", FILE, 1), Entry("a/b", FILE, 0)],
        [Entry("a/b", FILE, 1)],
        [Entry("a", FILE, 1), Entry("a", FILE, 0)],
        [Entry("a", FILE, 2)],
        [Entry("a", FILE, 0)],
        [Entry("a", 0o20666, 0)],
    ],
)
def test_a_tree_that_lies_is_refused(tmp_path, entries):
    """No file through a link, in a file, or in no directory; none twice; content as long as said; no devices."""
    with pytest.raises(CopyError):
        make_tree(entries, io.BytesIO(b"x"), tmp_path / "target")
