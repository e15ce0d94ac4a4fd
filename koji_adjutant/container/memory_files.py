"""A small file tree in memory: what containers of `MemoryManager` have for a root, a volume or a memory file system."""

from __future__ import annotations

import enum
import posixpath
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from koji_adjutant.errors import CopyError


class Kind(enum.Enum):
    """What a node is; `SPECIAL` stands for devices, pipes and sockets."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    SPECIAL = "special"


@dataclass(frozen=True)
class Node:
    """One entry of a tree."""

    kind: Kind
    data: bytes = b""
    mode: int = 0o644
    target: str = ""
    """Of a link."""


DIRECTORY = Node(Kind.DIRECTORY, mode=0o755)


class MemoryTree:
    """Nodes by absolute path. Thread-safe. `size_bytes` bounds the content, as of a small file system."""

    def __init__(self, nodes: Mapping[str, Node] | None = None, size_bytes: int | None = None) -> None:
        self._nodes: dict[str, Node] = {"/": DIRECTORY, **(nodes or {})}
        self._size_bytes = size_bytes
        self._lock = threading.RLock()

    def get(self, path: str) -> Node | None:
        """The node itself, no link followed."""
        with self._lock:
            return self._nodes.get(path)

    def fits(self, path: str, node: Node) -> bool:
        """Whether the tree has room for it."""
        with self._lock:
            used = sum(len(each.data) for name, each in self._nodes.items() if name != path)
            return self._size_bytes is None or used + len(node.data) <= self._size_bytes

    def put(self, path: str, node: Node) -> None:
        """Put a node; directories above it are made."""
        with self._lock:
            parent = posixpath.dirname(path)
            if parent not in self._nodes:
                self.put(parent, DIRECTORY)
            self._nodes[path] = node

    def children(self, directory: str) -> list[str]:
        """Names in a directory, sorted."""
        with self._lock:
            return sorted(posixpath.basename(p) for p in self._nodes if p != "/" and posixpath.dirname(p) == directory)

    def copy(self) -> MemoryTree:
        """A tree of its own with the same nodes."""
        with self._lock:
            return MemoryTree(self._nodes)


@dataclass(frozen=True)
class MemoryFiles:
    """The files a container sees: trees by where they are mounted, `/` among them."""

    mounts: Mapping[str, MemoryTree]

    def locate(self, path: str) -> tuple[MemoryTree, str]:
        """The tree that holds `path`, and the path in it."""
        clean = posixpath.normpath(path)
        place = max((m for m in self.mounts if _below(clean, m)), key=len)
        inside = "/" + clean[len(place) :].lstrip("/") if place != "/" else clean
        return self.mounts[place], inside

    def get(self, path: str) -> Node | None:
        """The node at `path`, no link followed at its end."""
        tree, inside = self.locate(path)
        return tree.get(inside)

    def put(self, path: str, node: Node) -> None:
        """Put a node; directories above it are made.

        Raises:
            CopyError: `disk-full`.
        """
        tree, inside = self.locate(path)
        if not tree.fits(inside, node):
            raise CopyError(f"{path} cannot be written: no space left", reason="disk-full")
        tree.put(inside, node)

    def read(self, path: str) -> bytes:
        """Content of a file; missing ones are empty."""
        node = self.get(path)
        return node.data if node is not None else b""

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Put a file."""
        self.put(path, Node(Kind.FILE, data, mode))

    def append(self, path: str, data: bytes) -> None:
        """Add to a file."""
        node = self.get(path) or Node(Kind.FILE)
        self.put(path, replace(node, data=node.data + data))

    def children(self, directory: str) -> list[str]:
        """Names in a directory, sorted."""
        tree, inside = self.locate(directory)
        return tree.children(inside)

    def check_parents(self, path: str) -> None:
        """Refuse a path with a link, or anything but directories, above its last component.

        Raises:
            CopyError: `link-outside` or `missing`.
        """
        parts = [part for part in path.split("/") if part]
        for count in range(1, len(parts)):
            above = "/" + "/".join(parts[:count])
            node = self.get(above)
            if node is not None and node.kind is Kind.LINK:
                raise CopyError(f"{path}: {above} is a link", reason="link-outside")
            if above not in self.mounts and (node is None or node.kind is not Kind.DIRECTORY):
                raise CopyError(f"{path}: there is no directory {above}", reason="missing")


def _below(path: str, place: str) -> bool:
    return place in {"/", path} or path.startswith(place + "/")
