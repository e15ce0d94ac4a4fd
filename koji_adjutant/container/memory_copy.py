"""Files into and out of containers of the in-memory runtime."""

from __future__ import annotations

import posixpath
import stat
from pathlib import Path
from typing import BinaryIO

from koji_adjutant.container.interface import CopiedFile
from koji_adjutant.container.memory_files import DIRECTORY, Kind, MemoryFiles, Node
from koji_adjutant.errors import CopyError


def copy_in(files: MemoryFiles, source: Path | bytes, target: str, mode: int) -> None:
    """See `ContainerManager.copy_to`."""
    files.check_parents(target)
    if isinstance(source, bytes):
        files.write(target, source, mode)
    elif source.is_dir():
        _copy_tree(files, source, target)
    elif source.is_file():
        files.write(target, source.read_bytes(), mode)
    else:
        raise CopyError(f"{source} is not a regular file", reason="not-regular" if source.exists() else "missing")


def copy_out(files: MemoryFiles, source: str, target: BinaryIO, max_bytes: int) -> int:
    """See `ContainerManager.copy_from`."""
    files.check_parents(source)
    node = files.get(source)
    if node is None:
        raise CopyError(f"there is no {source}", reason="missing")
    if node.kind is Kind.LINK:
        raise CopyError(f"{source} is a link", reason="link-outside")
    if node.kind is not Kind.FILE:
        raise CopyError(f"{source} is not a regular file", reason="not-regular")
    if len(node.data) > max_bytes:
        raise CopyError(f"{source} has {len(node.data)} bytes, more than the {max_bytes} allowed", reason="too-large")
    target.write(node.data)
    return len(node.data)


def list_directory(files: MemoryFiles, directory: str, max_entries: int) -> list[CopiedFile]:
    """See `ContainerManager.list_files`."""
    files.check_parents(posixpath.join(directory, "."))
    node = files.get(directory)
    if node is None or node.kind is not Kind.DIRECTORY:
        reason = "link-outside" if node is not None and node.kind is Kind.LINK else "missing"
        raise CopyError(f"{directory} is not a directory", reason=reason)
    names = files.children(directory)
    if len(names) > max_entries:
        raise CopyError(f"{directory} holds more than {max_entries} entries", reason="too-large")
    nodes = ((name, files.get(posixpath.join(directory, name))) for name in names)
    return [CopiedFile(name, len(each.data), each.kind is Kind.FILE) for name, each in nodes if each is not None]


def _copy_tree(files: MemoryFiles, source: Path, target: str) -> None:
    mode = stat.S_IMODE(source.stat().st_mode)
    files.put(target, Node(DIRECTORY.kind, mode=mode))
    for entry in sorted(source.iterdir()):
        place = posixpath.join(target, entry.name)
        if entry.is_symlink():
            files.put(place, Node(Kind.LINK, mode=0o777, target=str(entry.readlink())))
        elif entry.is_dir():
            _copy_tree(files, entry, place)
        elif entry.is_file():
            files.write(place, entry.read_bytes(), stat.S_IMODE(entry.stat().st_mode))
        else:
            raise CopyError(f"{entry} is not a regular file", reason="not-regular")
