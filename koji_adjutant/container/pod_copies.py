"""Files out of a pod and lists of its directories by `adjutant-runner get` and `list`; what the end of a copy means.

`root` is the directory that paths are taken below: `/`, or the root of another container of the pod (`/proc/PID/root`). Only
`root` itself may be, or go through, a link.
"""

from __future__ import annotations

import re

from koji_adjutant.container.interface import CopiedFile
from koji_adjutant.container.pod_frames import End, StreamEnd
from koji_adjutant.errors import CopyError

_PLAIN = re.compile(rb"[^A-Za-z0-9/._+=:@,~-]")
_ENTRY = re.compile(rb"([fdlo]) ([0-9]{1,20}) ([^/\0]{1,255})")
_MAX_ENTRY = 512
_WORDS = {
    End.MISSING: "is not there",
    End.NOT_REGULAR: "is not a regular file",
    End.LINK_OUTSIDE: "is a link or leads through one",
    End.DISK_FULL: "cannot be written: no space left",
    End.READ_ONLY: "cannot be written: read-only file system",
}


def quote_path(path: str) -> str:
    """A path as an argument: those of an exec must be UTF-8, names of files need not."""
    return _PLAIN.sub(lambda byte: b"%%%02X" % byte[0][0], path.encode("utf-8", "surrogateescape")).decode()


def check_path(path: str) -> str:
    """Return `path` if it is absolute and without `..` and NUL.

    Raises:
        CopyError: `missing`.
    """
    if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise CopyError(f"{path!r} is not an absolute path without `..`", reason="missing")
    return path


def get_argv(program: str, path: str, max_bytes: int, root: str = "/") -> list[str]:
    """The argv that sends one file; its bytes are the `O` frames. `check_end` judges the last frame.

    Raises:
        CopyError: `missing`: such a path cannot be.
    """
    return [program, "get", quote_path(check_path(path)), str(max_bytes), root]


def list_argv(program: str, directory: str, max_entries: int, root: str = "/") -> list[str]:
    """The argv that lists one directory; the `O` frames are for a `ListDecoder`. See `get_argv`."""
    return [program, "list", quote_path(check_path(directory)), str(max_entries), root]


def put_argv(program: str, directory: str, root: str = "/") -> list[str]:
    """The argv that takes `pod_put.put_stream` on its stdin. See `get_argv`."""
    return [program, "put", quote_path(check_path(directory)), root]


class ListDecoder:
    """Takes the bytes of a list as they come; more entries than asked for, or other bytes, are an error."""

    def __init__(self, directory: str, max_entries: int) -> None:
        self._directory = directory
        self._max_entries = max_entries
        self._held = b""
        self.entries: list[CopiedFile] = []

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            CopyError: `broken-stream`, `too-large`.
        """
        *whole, self._held = (self._held + data).split(b"\0")
        for text in whole:
            match = _ENTRY.fullmatch(text)
            if match is None:
                raise self._broken()
            if len(self.entries) == self._max_entries:
                raise CopyError(f"{self._directory} holds more than {self._max_entries} entries", reason="too-large")
            name = match[3].decode("utf-8", "surrogateescape")
            self.entries.append(CopiedFile(name, int(match[2]), match[1] == b"f"))
        if len(self._held) > _MAX_ENTRY:
            raise self._broken()

    def finish(self, end: StreamEnd) -> list[CopiedFile]:
        """The list, when the last frame said that it is whole (`check_end`).

        Raises:
            CopyError: `broken-stream`.
        """
        if self._held or len(self.entries) != end.size:
            raise self._broken()
        return self.entries

    def _broken(self) -> CopyError:
        return CopyError(f"the list of {self._directory} broke", reason="broken-stream", retryable=True)


def check_end(end: StreamEnd, path: str, container: str, limit: int | None = None) -> None:
    """Return if the copy of `path` ended well; `limit` is what it was allowed (bytes, entries).

    Raises:
        CopyError: `missing`, `not-regular`, `link-outside`, `too-large`, `disk-full`, `read-only`, `not-writable`,
            `broken-stream` (retryable), `copy` (anything else), with the path and the runner's words.
    """
    if end.end is End.OK:
        return
    name = f"{path} in {container}"
    if end.end is End.TOO_LARGE:
        raise CopyError(f"{name} holds {end.size}, more than the {limit} allowed", reason="too-large")
    if end.end is End.BROKEN_STREAM:
        raise CopyError(f"the stream of {name} broke", details=end.message, reason="broken-stream", retryable=True)
    if end.end in _WORDS:
        raise CopyError(f"{name} {_WORDS[end.end]}", details=end.message, reason=end.end.value)
    reason = "not-writable" if end.end is End.NOT_PERMITTED else "copy"
    raise CopyError(f"{name} could not be copied", details=end.message, reason=reason)
