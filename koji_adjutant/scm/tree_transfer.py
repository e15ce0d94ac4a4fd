"""A tree of a container that this machine does not see: listed there, its files read as one, and made anew here.

No archive is unpacked. A script in the container writes kind, mode and size of each entry, the names and the targets of
links, each ended by a zero byte, and the content of all regular files, one after the other. Here each entry is made by itself,
in a directory that nobody else writes to: directories first, links last, so that nothing is written through one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from koji_adjutant.deep_trees import remove_tree
from koji_adjutant.errors import CopyError

LISTED, NAMES, TARGETS, CONTENT = "listed", "names", "targets", "content"
"""Names of the files that the script writes."""
_CHUNK = 1 << 20
_MODES = 0o777
_PRINT_TARGETS = 'for link in "$@"; do "$0" readlink -n "$link"; printf "\\\\0"; done'
_SCRIPT = f"""set -e
busybox=$1
"$busybox" mkdir -p "$3"
cd "$2"
"$busybox" find . -mindepth 1 -print0 > "$3/{NAMES}"
"$busybox" xargs -0 -r "$busybox" stat -c '%f %s' < "$3/{NAMES}" > "$3/{LISTED}"
"$busybox" find . -mindepth 1 -type l -print0 |
    "$busybox" xargs -0 -r "$busybox" sh -c '{_PRINT_TARGETS}' "$busybox" > "$3/{TARGETS}"
"$busybox" find . -mindepth 1 -type f -print0 | "$busybox" xargs -0 -r "$busybox" cat > "$3/{CONTENT}"
"""


@dataclass(frozen=True)
class Entry:
    """One entry of a tree, as its container says. `name` is relative, `target` that of a link."""

    name: str
    mode: int
    size: int
    target: str = ""


def listing_command(busybox: str, tree: str, directory: str) -> list[str]:
    """Return what writes the files about `tree` into `directory`, which lies outside of it."""
    return [busybox, "sh", "-c", _SCRIPT, "sh", busybox, tree, directory]


def parse_listing(listed: bytes, names: bytes, targets: bytes) -> list[Entry]:
    """Return the entries of a tree.

    Raises:
        CopyError: `listing`: it cannot be one of a tree that stands still.
    """
    lines = listed.decode("ascii", "replace").splitlines()
    paths, links = _strings(names), iter(_strings(targets))
    if len(lines) != len(paths):
        raise _unreadable(f"{len(paths)} names and {len(lines)} entries")
    entries = []
    for line, path in zip(lines, paths, strict=True):
        try:
            mode_text, size_text = line.split(" ")
            mode, size = int(mode_text, 16), _decimal(size_text)
            target = next(links) if stat.S_ISLNK(mode) else ""
        except (ValueError, StopIteration) as error:
            raise _unreadable(f"{line!r} for {path!a}") from error
        entries.append(Entry(_relative(path), mode, size, target))
    return entries


def content_size(entries: Sequence[Entry]) -> int:
    """Return how many bytes the content of all regular files has."""
    return sum(entry.size for entry in entries if stat.S_ISREG(entry.mode))


def make_tree(entries: Sequence[Entry], content: BinaryIO, target: Path) -> None:
    """Make the tree at `target`, whose parent exists; what stands there goes. All belongs to this process.

    Raises:
        CopyError: `not-regular`: an entry that is no file, directory or link; `listing`: it does not fit the content.
    """
    remove_tree(target)
    target.mkdir()
    made = {"."}
    for entry in _sorted(entries):
        path = target / entry.name
        if str(PurePosixPath(entry.name).parent) not in made:
            raise _unreadable(f"{entry.name!a} lies in no directory")
        if stat.S_ISDIR(entry.mode):
            path.mkdir()
            made.add(entry.name)
    # In the order of the listing, which is that of their content.
    for entry in (entry for entry in entries if stat.S_ISREG(entry.mode)):
        _make_file(target / entry.name, entry, content)
    if content.read(1):
        raise _unreadable("more content than its files have")
    for entry in (entry for entry in entries if stat.S_ISLNK(entry.mode)):
        os.symlink(entry.target, target / entry.name)


def _make_file(path: Path, entry: Entry, content: BinaryIO) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, entry.mode & _MODES | 0o600), "wb") as stream:
        left = entry.size
        while left:
            piece = content.read(min(left, _CHUNK))
            if not piece:
                raise _unreadable(f"the content of {entry.name!a} is cut")
            stream.write(piece)
            left -= len(piece)


def _sorted(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Parents before what lies in them; each name once, each of a kind that a tree may hold."""
    seen: set[str] = set()
    for entry in sorted(entries, key=lambda entry: entry.name.count("/")):
        if not (stat.S_ISREG(entry.mode) or stat.S_ISDIR(entry.mode) or stat.S_ISLNK(entry.mode)):
            raise CopyError(f"{entry.name!a} is neither file, directory nor link", reason="not-regular")
        if entry.name in seen:
            raise _unreadable(f"{entry.name!a} stands there twice")
        seen.add(entry.name)
        yield entry


def _decimal(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _strings(data: bytes) -> list[str]:
    if data and not data.endswith(b"\0"):
        raise _unreadable("it is cut")
    return [os.fsdecode(part) for part in data.split(b"\0")[:-1]]


def _relative(path: str) -> str:
    name = path.removeprefix("./")
    if not path.startswith("./") or not name or any(part in {"", ".", ".."} for part in name.split("/")):
        raise _unreadable(f"the name {path!a}")
    return name


def _unreadable(why: str) -> CopyError:
    return CopyError("the listing of a tree cannot be read", details=why, reason="listing")
