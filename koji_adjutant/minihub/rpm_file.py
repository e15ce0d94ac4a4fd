"""What the hub must know of an rpm file, from its headers alone: no librpm, whose database nobody here has."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import koji

from koji_adjutant.errors import HubError

# Tags of the rpm header and of its signature part.
NAME, VERSION, RELEASE, EPOCH, BUILDTIME, ARCH, SOURCERPM = 1000, 1001, 1002, 1003, 1006, 1022, 1044
_SOURCEPACKAGE, _SIGMD5 = 1106, 1004
_CHANGELOG = (1080, 1081, 1082)  # times, names, texts
_SIGNATURES = (1005, 1002, 267, 268)  # GPG, PGP, DSA, RSA
_LEAD = 96  # bytes before the signature header

# What two builds of a noarch package may not differ in: what koji.rpmdiff compares with `ignore="S5TN"`.
_SAME_TAGS = (
    1000, 1004, 1005, 1016, 1014, 1020,  # name, summary, description, group, license, URL
    1023, 1024, 1025, 1026,  # scriptlets
    1047, 1112, 1113, 1048, 1049, 1050, 1053, 1054, 1055, 1090, 1114, 1115,  # dependencies
    1116, 1117, 1118, 1030, 1033, 1037, 1039, 1040, 1045,  # files: names, modes, devices, flags, owners, verify flags
)  # fmt: skip


@dataclass(frozen=True)
class RpmFile:
    """Headers of a file that is an rpm."""

    path: Path
    signature: Any
    header: Any
    raw_signature: bytes

    def text(self, tag: int) -> str:
        value = self.header.get(tag)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")

    @property
    def is_source(self) -> bool:
        return bool(self.header.get(_SOURCEPACKAGE)) or not self.header.get(SOURCERPM)

    @property
    def sourcerpm(self) -> str:
        return self.text(SOURCERPM)

    @property
    def fields(self) -> dict[str, Any]:
        """Columns of the hub's rpm entry."""
        return {
            "name": self.text(NAME), "version": self.text(VERSION), "release": self.text(RELEASE),
            "epoch": self.header.get(EPOCH, single=True), "arch": "src" if self.is_source else self.text(ARCH),
            "buildtime": self.header.get(BUILDTIME, single=True), "size": self.path.stat().st_size,
            "payloadhash": koji.hex_string(self.signature.get(_SIGMD5)),
        }  # fmt: skip

    @property
    def sigkey(self) -> str:
        """Id of the key it is signed with, "" when it is not."""
        return key_of(self.signature)

    @property
    def sighash(self) -> str:
        return hashlib.md5(self.raw_signature, usedforsecurity=False).hexdigest()

    def changelog(self) -> list[tuple[int, str, str]]:
        """Time, author and text of every entry, newest first."""
        columns = [_many(self.header.get(tag)) for tag in _CHANGELOG]
        return [(int(time), _decoded(name), _decoded(text)) for time, name, text in zip(*columns, strict=True)]

    def differs_from(self, other: RpmFile) -> bool:
        """Whether two builds of one noarch package differ in more than sizes, times and digests of their files."""
        return any(_comparable(self, tag) != _comparable(other, tag) for tag in _SAME_TAGS)

    def values(self, tag: int) -> list[Any]:
        """Values of any tag, texts decoded."""
        return [_decoded(value) if isinstance(value, bytes) else value for value in _many(self.header.get(tag))]


def key_of(signature: Any) -> str:
    """Id of the key a signature header is of, "" for none."""
    packets = (signature.get(tag) for tag in _SIGNATURES)
    return next((str(koji.get_sigpacket_key_id(packet)) for packet in packets if packet), "")


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _decoded(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _comparable(rpm: RpmFile, tag: int) -> Any:
    return _many(rpm.header.get(tag))


def read_rpm(path: Path) -> RpmFile:
    """Headers of a file; HubError when it is no rpm."""
    try:
        with open(path, "rb") as stream:
            size = koji.rpm_hdr_size(stream, _LEAD, pad=True)
            stream.seek(_LEAD)
            signature = stream.read(size)
            start = _LEAD + size
            size = koji.rpm_hdr_size(stream, start)
            stream.seek(start)
            found = RpmFile(path, koji.RawHeader(signature), koji.RawHeader(stream.read(size)), signature)
        _ = found.fields, found.is_source  # what every rpm has
    except (OSError, koji.GenericError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise HubError(f"{path} is not an rpm: {error}", resolution="Name rpm files.") from error
    return found
