"""Reading what a Koji repository says about its packages: repomd.xml, pkgorigins, rpmlist.jsonl (contract 4.0.5).

The files come over the network; sizes are bounded, and no document type or entity is ever looked at.
"""

from __future__ import annotations

import bz2
import json
import lzma
import posixpath
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from koji_adjutant.buildroot.faults import BuildrootFault

MAX_BYTES = 1 << 30
_NAMESPACE = "{http://linux.duke.edu/metadata/repo}"


@dataclass(frozen=True)
class RepoRpm:
    """An rpm as Koji knows it, from rpmlist.jsonl."""

    id: int
    payloadhash: str


@dataclass(frozen=True)
class RepomdRecord:
    """One file that repomd.xml names, `href` relative to the repository."""

    href: str
    checksum_type: str
    checksum: str


def parse_repomd(data: bytes) -> Mapping[str, RepomdRecord]:
    """Return the records of repomd.xml by type (`primary`, `origin`, ...).

    Raises:
        BuildrootFault: not a repomd.xml, or one that names files outside the repository.
    """
    try:
        text = data.decode("utf-8")
        if "<!" in text.replace("<!--", ""):
            raise BuildrootFault("repomd.xml holds a document type declaration")
        root = ET.fromstring(text)  # noqa: S314 - see above
    except (UnicodeDecodeError, ET.ParseError, ValueError) as error:
        raise BuildrootFault(f"repomd.xml cannot be parsed: {error}") from error
    return {entry.get("type", ""): _repomd_record(entry) for entry in root.iter(f"{_NAMESPACE}data")}


def _repomd_record(entry: ET.Element) -> RepomdRecord:
    location = entry.find(f"{_NAMESPACE}location")
    checksum = entry.find(f"{_NAMESPACE}checksum")
    href = "" if location is None else location.get("href", "")
    parts = urlsplit(href)
    if not href or parts.scheme or parts.netloc or href.startswith("/") or ".." in href.split("/"):
        raise BuildrootFault(f"repomd.xml names a file outside the repository: {href!r}")
    if checksum is None:
        return RepomdRecord(href, "", "")
    return RepomdRecord(href, checksum.get("type", ""), (checksum.text or "").strip())


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def decompress(name: str, data: bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """Decompress by the ending of `name`; several members in one file are fine. At most `max_bytes` come out.

    Raises:
        BuildrootFault: damaged, too large, or of a kind that Koji does not write.
    """
    kind = posixpath.splitext(name)[1]
    if kind in {".txt", ".jsonl", ".xml", ""}:
        return data
    if kind not in {".gz", ".xz", ".bz2"}:
        raise BuildrootFault(f"{posixpath.basename(name)} is compressed in a way that is not supported: {kind}")
    result = bytearray()
    try:
        while data:
            member = _decompressor(kind)
            # One byte more than allowed shows that there is more.
            result += member.decompress(data, max_bytes - len(result) + 1)
            if len(result) > max_bytes:
                raise BuildrootFault(f"{posixpath.basename(name)} holds more than {max_bytes} bytes")
            if not member.eof:
                raise BuildrootFault(f"{posixpath.basename(name)} is cut short")
            data = member.unused_data
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise BuildrootFault(f"{posixpath.basename(name)} cannot be decompressed: {error}") from error
    return bytes(result)


def _decompressor(kind: str) -> _Decompressor:
    if kind == ".gz":
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    if kind == ".xz":
        return lzma.LZMADecompressor(memlimit=1 << 28)
    return bz2.BZ2Decompressor()


def parse_pkgorigins(data: bytes) -> Mapping[str, str]:
    """Return the URL of the repository that each package came from, by NVRA.

    Lines are `[E:]N-V-R.A`, white space, URL; shorter lines are skipped, as kojid does.

    Raises:
        BuildrootFault: a line that names no package.
    """
    origins = {}
    for line in data.decode("utf-8", "replace").splitlines():
        nevra, *rest = line.split(None, 2)[:2] or [""]
        if rest:
            origins[_nvra(nevra)] = rest[0]
    return origins


def _nvra(nevra: str) -> str:
    start, dot, arch = nevra.removesuffix(".rpm").rpartition(".")
    parts = start.rsplit("-", 2)
    if not dot or len(parts) != 3 or not all((*parts, arch)):
        raise BuildrootFault(f"pkgorigins names no package: {nevra[:200]!r}")
    name = parts[0].partition(":")[2] if ":" in parts[0] else parts[0]
    return f"{name}-{parts[1]}-{parts[2]}.{arch}"


def parse_rpmlist(data: bytes) -> Mapping[str, RepoRpm]:
    """Return Koji's own rpms of a repository by NVRA.

    Raises:
        BuildrootFault: a line that is not an rpm row.
    """
    found = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            nvra = "{name}-{version}-{release}.{arch}".format_map(row)
            found[nvra] = RepoRpm(int(row["id"]), str(row["payloadhash"]))
        except (ValueError, KeyError, TypeError) as error:
            raise BuildrootFault(f"rpmlist.jsonl, line {number}, is not an rpm: {error}") from error
    return found
