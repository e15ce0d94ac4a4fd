"""What the daemon must know of an SRPM, read without librpm (design section 7: the daemon never parses an rpm with it).

`koji.RawHeader` reads what it is told to, in pure Python: so sizes and counts are checked here first, and every value after.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import koji

from koji_adjutant.errors import CorruptPackage

LEAD_SIZE = 96
LEAD_MAGIC = b"\xed\xab\xee\xdb"
HEADER_MAGIC = b"\x8e\xad\xe8"
INTRO = struct.Struct(">3sB4xII")
ENTRY_SIZE = 16
MAX_ENTRIES = 0x10000
MAX_HEADER = 64 * 1024 * 1024
"""rpm's own limits are 0xffff entries and 256 MiB; a source package is far below both."""

TAG_NAME, TAG_VERSION, TAG_RELEASE, TAG_EPOCH, TAG_ARCH = 1000, 1001, 1002, 1003, 1022
TAG_SOURCERPM, TAG_SOURCEPACKAGE = 1044, 1106
TAG_EXCLUDEARCH, TAG_EXCLUSIVEARCH, TAG_BUILDARCHS = 1059, 1061, 1089
SIGTAG_MD5 = 1004
INT32, STRING, BINARY, STRINGS = 4, 6, 7, 8

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_VERSION = re.compile(r"[A-Za-z0-9._+~^]+")
MAX_TEXT = 255
MAX_LIST = 1024
"""Entries of a list of arches: every arch that rpm knows, many times over."""


@dataclass(frozen=True)
class SRPMHeader:
    """The identity of a package file."""

    name: str
    version: str
    release: str
    epoch: int | None
    arch: str
    is_source: bool
    sigmd5: str | None
    """Hex MD5 of header and payload; None in packages of rpm 6, which have other digests."""
    build_archs: tuple[str, ...] = ()
    """The spec's BuildArch; empty if it has none."""
    exclusive_arch: tuple[str, ...] = ()
    exclude_arch: tuple[str, ...] = ()

    @property
    def nvr(self) -> str:
        return f"{self.name}-{self.version}-{self.release}"


def read_srpm_header(path: Path) -> SRPMHeader:
    """Read the header of a package file; ask `is_source` whether it is one.

    Raises:
        CorruptPackage: not an rpm, truncated, or with values that no rpm has; `brief` begins with the file's name.
        OSError: the file cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as stream:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _broken(path, "not a regular file")
        lead = stream.read(LEAD_SIZE)
        if lead[:4] != LEAD_MAGIC[: len(lead)] or not lead:
            raise _broken(path, "not an rpm")
        if len(lead) < LEAD_SIZE:
            raise _broken(path, "truncated")
        signature = _read_header(stream, path, padded=True)
        main = _read_header(stream, path, padded=False)
        if not stream.read(1):
            raise _broken(path, "truncated: there is no payload")
    return _identity(_Header(signature, path), _Header(main, path), path)


def _read_header(stream: BinaryIO, path: Path, *, padded: bool) -> bytes:
    intro = stream.read(INTRO.size)
    if len(intro) < INTRO.size:
        raise _broken(path, "truncated")
    magic, _version, entries, data = INTRO.unpack(intro)
    if magic != HEADER_MAGIC:
        raise _broken(path, "not an rpm: a header is missing")
    size = entries * ENTRY_SIZE + data
    if not 0 < entries <= MAX_ENTRIES or size > MAX_HEADER:
        raise _broken(path, f"not an rpm: a header of {entries} entries and {data} bytes")
    body = stream.read(size)
    if len(body) < size:
        raise _broken(path, "truncated")
    if padded:
        stream.read(-size % 8)
    return intro + body


class _Header:
    """Typed, bounded reads of one header."""

    def __init__(self, raw: bytes, path: Path) -> None:
        self._path = path
        self._header = koji.RawHeader(raw, decode=True)
        # not its `datalen`: koji 1.36.1 reads that from an empty slice, so it is always 0
        self._data = INTRO.unpack_from(raw)[3]

    def text(self, tag: int) -> str | None:
        value = self._value(tag, STRING)
        if value is None:
            return None
        if len(value) > MAX_TEXT:
            raise _broken(self._path, f"tag {tag} has {len(value)} characters")
        return str(value)

    def number(self, tag: int) -> int | None:
        value = self._value(tag, INT32)
        return None if value is None else int(value[0])

    def binary(self, tag: int) -> bytes | None:
        value: bytes | None = self._value(tag, BINARY)
        return value

    def texts(self, tag: int) -> tuple[str, ...]:
        values: list[str] = self._value(tag, STRINGS) or []
        if any(len(value) > MAX_TEXT for value in values):
            raise _broken(self._path, f"tag {tag} has values of more than {MAX_TEXT} characters")
        return tuple(values)

    def __contains__(self, tag: int) -> bool:
        return tag in self._header.index

    def _value(self, tag: int, kind: int) -> Any:
        if tag not in self._header.index:
            return None
        _tag, found, offset, count = self._header.index[tag]
        # A count from the file must not make the reader loop or allocate beyond the header.
        most = {BINARY: self._data, STRINGS: MAX_LIST}.get(kind, 1)
        if found != kind or not 0 < count <= most or offset >= self._data:
            raise _broken(self._path, f"tag {tag} is of type {found} with {count} values at {offset}")
        return self._header.get(tag)


def _identity(signature: _Header, main: _Header, path: Path) -> SRPMHeader:
    md5 = signature.binary(SIGTAG_MD5)
    if md5 is not None and len(md5) != 16:
        raise _broken(path, f"its MD5 has {len(md5)} bytes")
    return SRPMHeader(
        name=_matching(main.text(TAG_NAME), _NAME, "name", path),
        version=_matching(main.text(TAG_VERSION), _VERSION, "version", path),
        release=_matching(main.text(TAG_RELEASE), _VERSION, "release", path),
        epoch=main.number(TAG_EPOCH),
        arch=_matching(main.text(TAG_ARCH), _NAME, "architecture", path),
        is_source=main.number(TAG_SOURCEPACKAGE) == 1 or TAG_SOURCERPM not in main,
        sigmd5=None if md5 is None else md5.hex(),
        # Only ever compared with a tag's arches: whatever the spec says is taken as it is.
        build_archs=main.texts(TAG_BUILDARCHS),
        exclusive_arch=main.texts(TAG_EXCLUSIVEARCH),
        exclude_arch=main.texts(TAG_EXCLUDEARCH),
    )


def _matching(value: str | None, pattern: re.Pattern[str], what: str, path: Path) -> str:
    if value is None or pattern.fullmatch(value) is None:
        raise _broken(path, f"its {what} is {value!r}")
    return value


def _broken(path: Path, why: str) -> CorruptPackage:
    return CorruptPackage(
        f"{path.name}: {why}", resolution="Make the source package again (rpmbuild -bs) and submit it."
    )
