"""Tar archives made on the way, never whole in memory: a file, bytes, or a tree with its modes and links."""

from __future__ import annotations

import os
import stat
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from koji_adjutant.container.wire_values import regular_file
from koji_adjutant.errors import CopyError

CHUNK = 1 << 20
END = bytes(2 * tarfile.BLOCKSIZE)
"""What ends an archive."""


def tar_of(source: Path | bytes, name: str, mode: int) -> Iterator[bytes]:
    """Yield an archive of `source` under `name`; everything belongs to root.

    Raises:
        CopyError: the source is missing, shrinks meanwhile, or holds what is neither file, directory nor link.
    """
    if isinstance(source, bytes):
        yield from _bytes_entry(name, source, mode)
    elif source.is_dir():
        yield from _tree(source, name)
    else:
        yield from _file_entry(source, name, mode)
    yield END


def link_entry(name: str, target: str) -> bytes:
    """One symbolic link as a tar entry."""
    info = _info(name, 0o777, tarfile.SYMTYPE)
    info.linkname = target
    return _head(info)


def _tree(top: Path, name: str) -> Iterator[bytes]:
    found = top.stat()
    yield _head(_info(name, stat.S_IMODE(found.st_mode), tarfile.DIRTYPE, found.st_mtime))
    with os.scandir(top) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            yield from _entry(Path(entry.path), f"{name}/{entry.name}")


def _entry(path: Path, name: str) -> Iterator[bytes]:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        yield link_entry(name, os.readlink(path))
    elif stat.S_ISDIR(found.st_mode):
        yield from _tree(path, name)
    else:
        yield from _file_entry(path, name, stat.S_IMODE(found.st_mode))


def _bytes_entry(name: str, data: bytes, mode: int) -> Iterator[bytes]:
    info = _info(name, mode, tarfile.REGTYPE)
    info.size = len(data)
    yield _head(info)
    yield data
    yield _padding(info.size)


def _file_entry(path: Path, name: str, mode: int) -> Iterator[bytes]:
    with regular_file(path) as (stream, found):
        info = _info(name, mode, tarfile.REGTYPE, found.st_mtime)
        info.size = left = found.st_size
        yield _head(info)
        while left:
            piece = stream.read(min(left, CHUNK))
            if not piece:
                raise CopyError(f"{path} became shorter while it was read", reason="broken-stream")
            left -= len(piece)
            yield piece
        yield _padding(info.size)


def _info(name: str, mode: int, kind: bytes, mtime: float | None = None) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.type = mode, kind
    info.mtime = int(time.time() if mtime is None else mtime)
    return info


def _head(info: tarfile.TarInfo) -> bytes:
    # GNU, for names in any bytes: the PAX form of tarfile would write surrogates as they are not.
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
