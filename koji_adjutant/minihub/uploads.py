"""Uploads into work/, with the checks of contract 6.2 and the real hub's words.

A task's directory takes files only from the host that holds the task OPEN; any other directory belongs to the first user
that wrote there. `overwrite` truncates at the offset, so chunks must come in order.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import koji

from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.host_calls import verified_task

_CHUNK = 65536


class Checksum(Protocol):
    """What hashlib's objects are."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class Adler32:
    """adler32 with hashlib's face: 8 hex digits."""

    def __init__(self, data: bytes = b"") -> None:
        self._value = zlib.adler32(data)

    def update(self, data: bytes, /) -> None:
        self._value = zlib.adler32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value & 0xFFFFFFFF:08x}"


_CHECKSUMS: dict[str, Callable[[], Checksum]] = {
    "md5": lambda: hashlib.md5(usedforsecurity=False), "adler32": Adler32, "sha256": hashlib.sha256,
}  # fmt: skip


def _checksum(name: str) -> Checksum:
    if name not in _CHECKSUMS:
        raise koji.GenericError(f"Unsupported verify type: {name}")
    return _CHECKSUMS[name]()


@dataclass(frozen=True)
class Upload:
    """Query of a raw upload."""

    path: str
    name: str
    verify: str = ""
    offset: int = 0
    overwrite: bool = False
    volume: str = "DEFAULT"


def upload_path(ctx: Context, reldir: str, name: str, volume: str | None, *, create: bool) -> str:
    """Where a file goes; checks names and, if something is to be written, who may."""
    head, base = os.path.split(name)
    if head or base.startswith("."):
        raise koji.GenericError(f"Invalid upload filename: {name}")
    normal = os.path.normpath(reldir)
    if not normal or normal.startswith(("..", "/")):
        raise koji.GenericError(f"Invalid upload directory: {reldir}")
    if volume not in (None, "DEFAULT"):
        raise koji.GenericError(f"No such entry in table volume: {volume}")
    directory = os.path.join(ctx.state.paths.work(), normal)
    if create:
        _claim(ctx, reldir, normal.split("/"), directory)
    return os.path.join(directory, base)


def _claim(ctx: Context, reldir: str, parts: list[str], directory: str) -> None:
    if parts[0] == "tasks":
        if len(parts) < 3 or not parts[2].isdigit():
            raise koji.GenericError(f"Invalid task upload directory: {reldir}")
        verified_task(ctx, int(parts[2]))
        os.makedirs(directory, exist_ok=True)
        return
    os.makedirs(directory, exist_ok=True)
    owner_file = os.path.join(directory, ".user")
    if not os.path.exists(owner_file):
        with open(owner_file, "w", encoding="ascii") as stream:
            stream.write(str(ctx.session.user_id))
        return
    with open(owner_file, encoding="ascii") as stream:
        if int(stream.read()) != ctx.session.user_id:
            raise koji.GenericError(f"Invalid upload directory, not owner: {reldir}")


def raw_upload(ctx: Context, upload: Upload, body: BinaryIO) -> dict[str, Any]:
    """Write one chunk; the body has been read from the network already, so nothing waits while the hub is locked."""
    if not ctx.session.logged_in:
        raise koji.ActionNotAllowed("you must be logged-in to upload a file")
    path = upload_path(ctx, upload.path, upload.name, upload.volume, create=True)
    _check_destination(path, upload)
    checksum = _checksum(upload.verify) if upload.verify else None
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "r+b", buffering=0) as stream:
        if upload.overwrite and upload.offset != -1:
            stream.truncate(upload.offset)
        offset = stream.seek(0, os.SEEK_END) if upload.offset == -1 else stream.seek(upload.offset)
        size = 0
        while chunk := body.read(_CHUNK):
            stream.write(chunk)
            size += len(chunk)
            if checksum:
                checksum.update(chunk)
        end = stream.seek(0, os.SEEK_END)
    if not upload.overwrite and end != offset + size:
        raise koji.GenericError(f"Incorrect upload length for {path} - Expected {offset + size}, actual {end}")
    answer = {"size": size, "fileverify": upload.verify, "offset": offset}
    return answer | ({"hexdigest": checksum.hexdigest()} if checksum else {})


def _check_destination(path: str, upload: Upload) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise koji.GenericError(f"destination is a symlink: {path}")
    if not stat.S_ISREG(mode):
        raise koji.GenericError(f"destination not a file: {path}")
    if upload.offset == 0 and not upload.overwrite:
        raise koji.GenericError(f"upload path exists: {path}")


@exported("uploadFile")
def upload_file(
    ctx: Context, path: str, name: str, size: Any, md5sum: Any, offset: Any, data: str, volume: str | None = None,
    checksum: Any = None,
) -> bool:  # fmt: skip
    """The old way: base64 chunks, the last with offset -1 and size and checksum of the whole. False: send it again."""
    ctx.assert_login()
    contents = base64.b64decode(data)
    start, length = int(offset), None if size is None else int(size)
    declared = md5sum if checksum is None else checksum
    kind, digest = ("md5", declared) if isinstance(declared, str) else (declared or ("", ""))
    if start != -1 and not _chunk_is_right(contents, length, kind, digest):
        return False
    target = upload_path(ctx, path, name, volume, create=True)
    if os.path.lexists(target) and (os.path.islink(target) or not os.path.isfile(target)):
        raise koji.GenericError(f"destination not a file: {target}")
    if os.path.exists(target) and start == 0 and not target.endswith(".log"):
        raise koji.GenericError(f"file already exists: {target}")
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "r+b", buffering=0) as stream:
        if start == 0 or (start == -1 and length == len(contents)):
            stream.truncate(0)
        stream.seek(0, os.SEEK_END) if start == -1 else stream.seek(start)
        stream.write(contents)
        if start != -1:
            return True
        if length is not None:
            stream.truncate(length)
        stream.seek(0)
        return not kind or _digest(stream, _checksum(kind))[1] == digest


def _chunk_is_right(contents: bytes, length: int | None, kind: str, digest: str) -> bool:
    if length is not None and length != len(contents):
        return False
    if not kind:
        return True
    checksum = _checksum(kind)
    checksum.update(contents)
    return checksum.hexdigest() == digest


def _digest(stream: Any, checksum: Checksum) -> tuple[int, str]:
    length = 0
    while chunk := stream.read(_CHUNK):
        length += len(chunk)
        checksum.update(chunk)
    return length, checksum.hexdigest()


@exported("checkUpload")
def check_upload(
    ctx: Context, path: str, name: str, verify: str | None = None, tail: int | None = None, volume: str | None = None
) -> dict[str, Any] | None:
    """Size and, if asked, checksum of an uploaded file (of its last `tail` bytes); None when there is none."""
    target = upload_path(ctx, path, name, volume, create=False)
    if not os.path.exists(target):
        return None
    if not os.path.isfile(target):
        raise koji.GenericError(f"Not a regular file: {target}")
    with open(target, "rb") as stream:
        found = os.fstat(stream.fileno())
        data: dict[str, Any] = {"size": found.st_size, "mtime": found.st_mtime}
        if verify:
            if tail is not None and tail < 0:
                raise koji.GenericError(f"Invalid tail value: {tail!r}")
            stream.seek(0 if tail is None else max(found.st_size - tail, 0))
            data["sumlength"], data["hexdigest"] = _digest(stream, _checksum(verify))
    return data
