"""The root of a container in a user namespace as a tar with the ids the container sees, for an image made of it.

Podman's own commit writes host ids into the image when the storage shifts ids at mount time (seen with Podman 4.3): in
the next container every file would belong to nobody. So the root is exported, mapped back entry by entry, and imported;
neither side is ever whole in memory. File capabilities are mapped too: the kernel has noted the namespace's root in them.
"""

from __future__ import annotations

import struct
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from koji_adjutant.container.podman_payload import IdRange

CHUNK = 1 << 20
NOBODY = 65534
_XATTR = "SCHILY.xattr."
_CAPABILITY = _XATTR + "security.capability"
_CAP_V3 = struct.Struct("<I4II")
_REVISION_MASK, _REVISION_2, _REVISION_3 = 0xFF000000, 0x02000000, 0x03000000


def mapped_back(source: BinaryIO, uids: Sequence[IdRange], gids: Sequence[IdRange]) -> Iterator[bytes]:
    """Yield the tar `source` again with owners as the container sees them.

    Raises:
        tarfile.TarError: `source` ends early.
    """
    with tarfile.open(fileobj=source, mode="r|", errors="surrogateescape") as tar:
        while (member := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined] # tarfile remembers all, and there are many
            member.uid, member.gid = inside(member.uid, uids), inside(member.gid, gids)
            member.pax_headers = _attributes(member.pax_headers, uids)
            yield member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            if member.isreg():
                yield from _content(tar, member)
    yield bytes(2 * tarfile.BLOCKSIZE)


def inside(host_id: int, ranges: Sequence[IdRange]) -> int:
    """The id in the container of an id of the host; nobody if it has none there."""
    for each in ranges:
        if each.host_id <= host_id < each.host_id + each.size:
            return host_id - each.host_id + each.container_id
    return NOBODY


def _attributes(headers: Mapping[str, str], uids: Sequence[IdRange]) -> dict[str, str]:
    # All but the extended attributes stands in the member itself, and would go over what was changed there.
    kept = {name: value for name, value in headers.items() if name.startswith(_XATTR)}
    if _CAPABILITY in kept:
        raw = kept[_CAPABILITY].encode("utf-8", "surrogateescape")
        kept[_CAPABILITY] = plain_capability(raw, uids).decode("utf-8", "surrogateescape")
    return kept


def plain_capability(raw: bytes, uids: Sequence[IdRange]) -> bytes:
    """A capability attribute that holds for root of these `uids` as one that holds for root; others as they are."""
    if len(raw) != _CAP_V3.size:
        return raw
    magic, *words, root = _CAP_V3.unpack(raw)
    if magic & _REVISION_MASK != _REVISION_3 or inside(root, uids) != 0:
        return raw
    return struct.pack("<I4I", magic & ~_REVISION_MASK | _REVISION_2, *words)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    stream = tar.extractfile(member)
    left = member.size
    while left:
        piece = stream.read(min(left, CHUNK)) if stream is not None else b""
        if not piece:
            raise tarfile.ReadError(f"{member.name} ends {left} bytes early")
        left -= len(piece)
        yield piece
    yield bytes(-member.size % tarfile.BLOCKSIZE)
