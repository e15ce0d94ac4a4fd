"""manifest.log: what an ISO 9660 image says of itself and the files it holds, as kojid lists them with pycdio (contract 4.6).

The image is the work of whoever asked for it: every number in it is checked against the file and against a bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import koji

SECTOR = 2048
FIRST_DESCRIPTOR, LAST_DESCRIPTOR = 16, 64
PRIMARY = 1
MAX_ENTRIES = 500_000
MAX_DIRECTORY = 16 << 20
"""Bytes of one directory."""
_TEXTS = (("Application", 574, 128), ("Preparer", 446, 128), ("Publisher", 318, 128))
_TEXTS_BELOW = (("System", 8, 32), ("Volume", 40, 32), ("Volumeset", 190, 128))
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f]")


def iso_manifest(image: Path) -> bytes:
    """Return the manifest.

    Raises:
        koji.GenericError: it is no image that can be read.
    """
    with image.open("rb") as stream:
        descriptor = _primary(stream)
        if descriptor is None:
            raise koji.GenericError(f"Could not open {image.name} as an ISO-9660 image!")
        lines = []
        for name, start, size in (*_TEXTS, *_TEXTS_BELOW):
            text = _shown(descriptor[start : start + size])
            if text:
                lines.append(f"{name} ID: {text}\n")
        lines.append("\nSize(bytes)  File Name\n")
        lines += [f"{size:<10d}   {path}\n" for path, size in _files(stream, descriptor[156:190])]
    return "".join(lines).encode("utf-8", "replace")


def _primary(stream: BinaryIO) -> bytes | None:
    for sector in range(FIRST_DESCRIPTOR, LAST_DESCRIPTOR):
        stream.seek(sector * SECTOR)
        found = stream.read(SECTOR)
        if len(found) < SECTOR or found[1:6] != b"CD001":
            return None
        if found[0] == PRIMARY:
            return found
    return None


def _files(stream: BinaryIO, root: bytes) -> Iterator[tuple[str, int]]:
    """Yield path and size of each file, and of each directory as `.`, in the order of the image."""
    seen: set[int] = set()
    count = 0
    waiting = [("/", _entries(stream, root, seen))]
    while waiting:
        directory, entries = waiting[-1]
        record = next(entries, None)
        if record is None:
            waiting.pop()
            continue
        count += 1
        if count > MAX_ENTRIES:
            raise koji.GenericError(f"the image holds more than {MAX_ENTRIES} files")
        name, size = _name(record), int.from_bytes(record[10:14], "little")
        if name == "..":
            continue
        if name == ".":
            yield directory, size
        elif record[25] & 2:
            path = f"{directory}{name}/"
            waiting.append((path, _entries(stream, record, seen)))
        else:
            yield directory + name, size


def _entries(stream: BinaryIO, record: bytes, seen: set[int]) -> Iterator[bytes]:
    """Yield the records of a directory; nothing for one that was seen, which would be a circle."""
    extent, size = int.from_bytes(record[2:6], "little"), int.from_bytes(record[10:14], "little")
    if extent in seen:
        return
    seen.add(extent)
    stream.seek(extent * SECTOR)
    data = stream.read(min(size, MAX_DIRECTORY))
    place = 0
    while place < len(data):
        length = data[place]
        if length == 0:
            # A record does not cross a sector: the rest of this one is empty.
            place = (place // SECTOR + 1) * SECTOR
            continue
        found = data[place : place + length]
        if length < 34 or len(found) < length or 33 + found[32] > length:
            raise koji.GenericError("the image has a broken directory")
        yield found
        place += length


def _name(record: bytes) -> str:
    size = record[32]
    raw = record[33 : 33 + size]
    if raw in {b"\0", b"\1"}:
        return "." if raw == b"\0" else ".."
    # Rock Ridge's name, where there is one.
    place = 33 + size + (size + 1) % 2
    whole = b""
    while place + 4 <= len(record) and record[place + 2] >= 4:
        length = record[place + 2]
        if record[place : place + 2] == b"NM":
            whole += record[place + 5 : place + length]
        place += length
    return _shown(whole or raw)


def _shown(raw: bytes) -> str:
    return _UNSHOWN.sub("?", raw.rstrip(b" \0").decode("utf-8", "replace"))
