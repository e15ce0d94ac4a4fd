"""Files into and out of a container by Podman's archive requests, streamed both ways.

Out: the service resolves links inside the container's root, so nothing leads out to the host; still no link is followed:
each component is looked at first, and only one regular file is taken from the answer. Nothing is ever unpacked here.
"""

from __future__ import annotations

import base64
import json
import posixpath
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import requests
import urllib3

from koji_adjutant.container.interface import ContainerHandle, CopiedFile
from koji_adjutant.container.podman_client import PodmanApi, PodmanRefusal
from koji_adjutant.container.tar_stream import END, link_entry, tar_of
from koji_adjutant.errors import ContainerError, ContainerNotFound, CopyError

CHUNK = 1 << 20
_GO_SYMLINK = 1 << 27
_GO_SPECIAL = _GO_SYMLINK | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19
_PUT_REASONS = {
    "no space left": "disk-full",
    "quota exceeded": "disk-full",
    "read-only file system": "read-only",
    # Memory file systems of a user namespace take no files from outside.
    "value too large": "not-writable",
}
_STAT_HEADER = "X-Docker-Container-Path-Stat"


@dataclass(frozen=True)
class _Stat:
    """What the service says about one path, itself not resolved."""

    is_directory: bool
    is_link: bool
    is_regular: bool


class PodmanCopy:
    """The archive requests of one service."""

    def __init__(self, api: PodmanApi, stream_timeout: float = 60.0) -> None:
        self._api = api
        self._stream_timeout = stream_timeout

    def put(self, handle: ContainerHandle, source: Path | bytes, target: str, mode: int) -> None:
        """See `ContainerManager.copy_to`."""
        directory, name = posixpath.split(target.rstrip("/"))
        self._check_parents(handle, directory or "/", target)
        try:
            self._api.request(
                "PUT",
                f"/containers/{handle.id}/archive",
                params={"path": directory or "/"},
                data=tar_of(source, name, mode),
                timeout=self._stream_timeout,
            )
        except PodmanRefusal as error:
            raise _put_error(handle, target, error) from error

    def put_links(self, handle: ContainerHandle, directory: str, links: dict[str, str]) -> None:
        """Put symbolic links into a directory of a container."""
        data = b"".join(link_entry(name, target) for name, target in links.items()) + END
        params = {"path": directory}
        self._api.request("PUT", f"/containers/{handle.id}/archive", params=params, data=data)

    def get(self, handle: ContainerHandle, source: str, target: BinaryIO, max_bytes: int) -> int:
        """See `ContainerManager.copy_from`."""
        self._check_regular(handle, source)
        with _reading(self._archive(handle, source), source) as tar:
            member = tar.next()
            if member is not None and member.isreg():
                if member.size > max_bytes:
                    raise CopyError(
                        f"{source} has {member.size} bytes, more than the {max_bytes} allowed", reason="too-large"
                    )
                return _copy_member(tar, member, target)
        raise CopyError(f"{source} in {handle.name} is not a regular file", reason="not-regular")

    def list_files(self, handle: ContainerHandle, directory: str, max_entries: int) -> list[CopiedFile]:
        """See `ContainerManager.list_files`. The whole tree below comes over the socket: for small directories."""
        stat = self._check_parents(handle, directory, directory)
        if not stat.is_directory:
            raise CopyError(f"{directory} in {handle.name} is not a directory", reason="missing")
        found: list[CopiedFile] = []
        with _reading(self._archive(handle, directory), directory) as tar:
            for member in tar:
                cast("Any", tar).members.clear()  # tarfile remembers all, and there may be millions
                name = member.name.rstrip("/").partition("/")[2]
                if not name or "/" in name:
                    continue
                if len(found) == max_entries:
                    raise CopyError(f"{directory} holds more than {max_entries} entries", reason="too-large")
                found.append(CopiedFile(name, member.size, member.isreg()))
        return found

    def _check_parents(self, handle: ContainerHandle, directory: str, path: str) -> _Stat:
        """Look at each component of `directory`: all must be directories, none a link."""
        stat = _Stat(is_directory=True, is_link=False, is_regular=False)
        for part in _components(directory):
            stat = self._stat(handle, part)
            if stat.is_link:
                raise CopyError(f"{path}: {part} in {handle.name} is a link", reason="link-outside")
            if not stat.is_directory:
                raise CopyError(f"{path}: {part} in {handle.name} is not a directory", reason="missing")
        return stat

    def _check_regular(self, handle: ContainerHandle, source: str) -> None:
        self._check_parents(handle, posixpath.dirname(source), source)
        stat = self._stat(handle, source)
        if stat.is_link:
            raise CopyError(f"{source} in {handle.name} is a link", reason="link-outside")
        if not stat.is_regular:
            raise CopyError(f"{source} in {handle.name} is not a regular file", reason="not-regular")

    def _stat(self, handle: ContainerHandle, path: str) -> _Stat:
        try:
            response = self._api.request("HEAD", f"/containers/{handle.id}/archive", params={"path": path})
            stat = response.headers[_STAT_HEADER]
        except PodmanRefusal as error:
            # A link that leads nowhere is "not found", but described.
            stat = error.headers.get(_STAT_HEADER, "")
            if not stat:
                raise self._missing(handle, path, error) from error
        found = json.loads(base64.urlsafe_b64decode(stat))
        is_link = bool(found["mode"] & _GO_SYMLINK)
        is_directory = bool(found["isDir"]) and not is_link
        return _Stat(is_directory, is_link, not is_directory and not found["mode"] & _GO_SPECIAL)

    def _missing(self, handle: ContainerHandle, path: str, error: PodmanRefusal) -> ContainerError:
        # HEAD has no body: ask which of the two is missing.
        try:
            self._api.request("GET", f"/containers/{handle.id}/exists")
        except PodmanRefusal:
            return ContainerNotFound(f"there is no container {handle.name} ({handle.id[:12]})")
        if error.status != requests.codes.not_found:
            return CopyError(f"{path} in {handle.name} cannot be read", details=error.message)
        return CopyError(f"there is no {path} in {handle.name}", reason="missing")

    def _archive(self, handle: ContainerHandle, path: str) -> RawBody:
        try:
            response = self._api.request(
                "GET",
                f"/containers/{handle.id}/archive",
                params={"path": path},
                stream=True,
                timeout=self._stream_timeout,
            )
        except PodmanRefusal as error:
            raise self._missing(handle, path, error) from error
        return RawBody(response)


class RawBody:
    """The body of a streamed answer as a file object for tarfile."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def read(self, size: int) -> bytes:
        return bytes(self._response.raw.read(size))

    def close(self) -> None:
        # What is left unread makes the connection useless.
        self._response.close()


@contextmanager
def _reading(archive: RawBody, path: str) -> Iterator[tarfile.TarFile]:
    """Read the stream as tar; a stream that breaks is a `CopyError`."""
    try:
        with tarfile.open(fileobj=cast("BinaryIO", archive), mode="r|", errors="surrogateescape") as tar:
            yield tar
    except (tarfile.TarError, urllib3.exceptions.HTTPError, OSError) as error:
        raise CopyError(
            f"the stream of {path} broke", details=str(error), reason="broken-stream", retryable=True
        ) from error
    finally:
        archive.close()


def _copy_member(tar: tarfile.TarFile, member: tarfile.TarInfo, target: BinaryIO) -> int:
    stream = tar.extractfile(member)
    done = 0
    while stream is not None and (piece := stream.read(CHUNK)):
        target.write(piece)
        done += len(piece)
    if done != member.size:
        raise tarfile.ReadError(f"{done} of {member.size} bytes came")
    return done


def _components(path: str) -> list[str]:
    """`/a/b` -> [`/a`, `/a/b`]; the caller's own `..` is refused."""
    parts = [part for part in path.split("/") if part and part != "."]
    if ".." in parts or not path.startswith("/"):
        raise CopyError(f"{path!r} is not an absolute path without `..`", reason="missing")
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


def _put_error(handle: ContainerHandle, target: str, error: PodmanRefusal) -> ContainerError:
    if "no such container" in error.message:
        return ContainerNotFound(f"there is no container {handle.name} ({handle.id[:12]})")
    reason = next((reason for word, reason in _PUT_REASONS.items() if word in error.message), "copy")
    return CopyError(f"{target} cannot be written in {handle.name}", details=error.message, reason=reason)
