"""The topurl: files below topdir by GET and HEAD, with ranges, and nothing from elsewhere.

Links inside topdir are followed as long as they end inside it. Directories of external repos given by path are served below
`external/NAME/`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import BinaryIO
from urllib.parse import unquote

EXTERNAL = "external"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


@dataclass(frozen=True)
class Answer:
    """Status, headers and the open file with the part of it to send; `stream` is None when there is no body."""

    status: int
    headers: dict[str, str]
    stream: BinaryIO | None = None
    start: int = 0
    length: int = 0


def find(url_path: str, topdir: str, external: Callable[[str], str | None]) -> str | None:
    """The real path of what is asked for; None for what is not there or lies outside."""
    parts = [part for part in unquote(url_path).split("/") if part not in ("", ".")]
    if ".." in parts or any("\0" in part for part in parts):
        return None
    base: str | None = topdir
    if parts[:1] == [EXTERNAL] and len(parts) > 1:
        base, parts = external(parts[1]), parts[2:]
    if base is None:
        return None
    root = os.path.realpath(base)
    path = os.path.realpath(os.path.join(root, *parts))
    return path if path == root or path.startswith(root + os.sep) else None


def answer(path: str | None, wanted_range: str | None) -> Answer:
    """Open the file and say what of it goes out; the caller closes `stream`."""
    if path is None:
        return Answer(404, {})
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not hold us up
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return Answer(404, {})
    except OSError:
        return Answer(403, {})
    info = os.fstat(descriptor)
    if not stat.S_ISREG(info.st_mode):
        os.close(descriptor)
        return Answer(404, {})
    stream = os.fdopen(descriptor, "rb")
    headers = {
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes",
        "Last-Modified": formatdate(info.st_mtime, usegmt=True),
    }
    part = _part(wanted_range, info.st_size)
    if part is None:
        return Answer(200, headers, stream, 0, info.st_size)
    start, end = part
    if start >= end:
        stream.close()
        return Answer(416, {"Content-Range": f"bytes */{info.st_size}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{info.st_size}"
    return Answer(206, headers, stream, start, end - start)


def _part(wanted: str | None, size: int) -> tuple[int, int] | None:
    """Start and end of a single range; None for the whole file; start >= end for a range outside it."""
    match = _RANGE.match(wanted.strip()) if wanted else None
    if match is None or match.group() == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return max(size - int(last), 0), size if int(last) else 0
    return int(first), min(int(last) + 1, size) if last else size
