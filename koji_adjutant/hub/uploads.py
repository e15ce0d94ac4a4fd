"""Uploads of whole files, checksummed by chunk and at the end (contract 6.2)."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import structlog

from koji_adjutant.errors import HubError
from koji_adjutant.hub.session import AdjutantSession
from koji_adjutant.metrics import UPLOADED_BYTES

log = structlog.get_logger(__name__)

CHUNK = 1 << 20


def upload_file(
    session: AdjutantSession,
    local: Path,
    directory: str,
    name: str | None = None,
    volume: str | None = None,
) -> None:
    """Put `local` into `directory` (below work/ of the hub) as `name`, replacing what is there; empty files too.

    Safe to repeat: the first chunk truncates. The file must not change meanwhile. `use_fast_upload` makes no difference: with
    it off koji's client asks first whether the hub knows `checkUpload` and then uploads in the same way, since 1.7.1.

    Raises:
        HubError: what the hub received is not what was sent, or the file changed.
        koji.ActionNotAllowed: the task is not ours any more.
        OSError: the file cannot be read.
    """
    name = name or local.name
    options = {"volume": volume} if volume and volume != "DEFAULT" else {}
    fd = os.open(local, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as stream:
        size, checksum = _send(session, stream, directory, name, options)
        changed = os.fstat(stream.fileno()).st_size != size
    if changed:
        raise HubError(f"{local} changed while it was uploaded: {size} bytes were sent")
    _verify(session, directory, name, size, checksum, options)
    UPLOADED_BYTES.labels("file").inc(size)
    log.info("hub.file_uploaded", name=name, directory=directory, size=size)


def _send(
    session: AdjutantSession, stream: BinaryIO, directory: str, name: str, options: dict[str, str]
) -> tuple[int, str]:
    offset, checksum = 0, 1
    for chunk in _chunks(stream):
        answer = session.rawUpload(chunk, offset, directory, name, overwrite=True, **options)
        if answer["size"] != len(chunk):
            raise _damaged(directory, name, f"server returned wrong chunk size: {answer['size']} != {len(chunk)}")
        if answer["hexdigest"] != f"{zlib.adler32(chunk):08x}":
            raise _damaged(directory, name, f"upload checksum failed at offset {offset}")
        checksum = zlib.adler32(chunk, checksum)
        offset += len(chunk)
    return offset, f"{checksum:08x}"


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the file in chunks; an empty file is one empty chunk, so that the hub makes it."""
    chunk = stream.read(CHUNK)
    while True:
        yield chunk
        chunk = stream.read(CHUNK)
        if not chunk:
            return


def _verify(
    session: AdjutantSession, directory: str, name: str, size: int, checksum: str, options: dict[str, str]
) -> None:
    answer = session.checkUpload(directory, name, verify="adler32", **options)
    if answer is None:
        raise _damaged(directory, name, f"File upload failed: {directory}/{name}")
    if int(answer["size"]) != size:
        raise _damaged(directory, name, f"Uploaded file is wrong length: {answer['size']} != {size}")
    if answer["hexdigest"] != checksum:
        raise _damaged(directory, name, f"Uploaded file has wrong checksum: {answer['hexdigest']} != {checksum}")


def _damaged(directory: str, name: str, details: str) -> HubError:
    return HubError(
        f"upload of {directory}/{name} failed",
        details=details,
        resolution="The upload is safe to repeat; if it fails again, look at the disk of the hub and at proxies before it.",
        retryable=True,
    )
