"""Files into a pod: files, bytes or trees as the frames that `adjutant-runner put` takes, never whole in memory."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from koji_adjutant.container.pod_frames import MAX_PAYLOAD, FrameWriter
from koji_adjutant.container.wire_values import regular_file
from koji_adjutant.errors import CopyError


@dataclass(frozen=True)
class PutEntry:
    """What stands under `name` (a path relative to the directory of the put) afterwards.

    `source`: bytes, a file or a tree of this machine; None: a directory, which gets `mode` and keeps what it holds.
    """

    name: str
    source: Path | bytes | None
    mode: int


def put_stream(source: Path | bytes, name: str, mode: int) -> Iterator[bytes]:
    """Yield the frames of one source, the last one included; see `put_frames`."""
    return put_frames([PutEntry(name, source, mode)])


def put_frames(entries: Iterable[PutEntry]) -> Iterator[bytes]:
    """Yield the frames of all entries, the last one included.

    All of it will belong to the user of the runner. A tree keeps its modes and symbolic links, files their times; `mode` is
    for single files, bytes and bare directories.

    Raises:
        CopyError: a source is missing, shrinks meanwhile, or holds what is neither file, directory nor link.
    """
    writer = FrameWriter()
    for entry in entries:
        yield from _put(writer, entry)
    yield writer.frame(b"S")


def _put(writer: FrameWriter, entry: PutEntry) -> Iterator[bytes]:
    if entry.source is None:
        yield _entry(writer, b"D", entry.mode, entry.name)
    elif isinstance(entry.source, bytes):
        yield _entry(writer, b"F", entry.mode, entry.name, size=len(entry.source))
        yield from _content(writer, entry.source)
    elif entry.source.is_dir():
        yield from _tree(writer, entry.source, entry.name)
    else:
        yield from _file(writer, entry.source, entry.name, entry.mode)


def _tree(writer: FrameWriter, top: Path, name: str) -> Iterator[bytes]:
    yield _entry(writer, b"D", stat.S_IMODE(top.stat().st_mode), name)
    with os.scandir(top) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            yield from _any(writer, Path(entry.path), f"{name}/{entry.name}")


def _any(writer: FrameWriter, path: Path, name: str) -> Iterator[bytes]:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        yield _entry(writer, b"L", 0o777, name, target=os.readlink(path))
    elif stat.S_ISDIR(found.st_mode):
        yield from _tree(writer, path, name)
    else:
        yield from _file(writer, path, name, stat.S_IMODE(found.st_mode))


def _file(writer: FrameWriter, path: Path, name: str, mode: int) -> Iterator[bytes]:
    with regular_file(path) as (stream, found):
        yield _entry(writer, b"F", mode, name, size=found.st_size, mtime=int(found.st_mtime))
        left = found.st_size
        while left:
            piece = stream.read(min(left, MAX_PAYLOAD))
            if not piece:
                raise CopyError(f"{path} became shorter while it was read", reason="broken-stream")
            left -= len(piece)
            yield writer.frame(b"O", piece)


def _content(writer: FrameWriter, data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), MAX_PAYLOAD):
        yield writer.frame(b"O", data[start : start + MAX_PAYLOAD])


def _entry(
    writer: FrameWriter, kind: bytes, mode: int, name: str, *, size: int = 0, mtime: int | None = None, target: str = ""
) -> bytes:
    """`runner/put_entry.c` reads this."""
    when = int(time.time()) if mtime is None else mtime
    text = f"{mode:o} {when} {size} {name}" + (f"\0{target}" if kind == b"L" else "")
    return writer.frame(kind, text.encode("utf-8", "surrogateescape"))
