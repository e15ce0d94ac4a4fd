"""The world of the in-memory runtime: what is in it, and how a test arranges it. `MemoryManager` acts in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from koji_adjutant.container.interface import (
    ContainerHandle,
    ContainerSpec,
    ImageInfo,
    MountKind,
    VolumeMount,
)
from koji_adjutant.container.memory_container import MemoryContainer
from koji_adjutant.container.memory_files import DIRECTORY, Kind, MemoryFiles, MemoryTree, Node
from koji_adjutant.container.memory_images import MemoryImages
from koji_adjutant.container.memory_programs import Program, built_in
from koji_adjutant.errors import ContainerNotFound, RuntimeUnavailable

CAPABILITIES = frozenset({"commit", "companion", "isolate", "userns"})


class MemoryWorld:
    """Images, containers and volumes in memory. `clock` is unix time, for `created_at`. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time, capabilities: frozenset[str] = CAPABILITIES) -> None:
        self.images = MemoryImages()
        self._clock = clock
        self._capabilities = capabilities
        self._programs: dict[str, Program] = built_in()
        self._containers: dict[str, MemoryContainer] = {}
        self._volumes: dict[str, MemoryTree] = {}
        self._changed = threading.Condition(threading.RLock())
        self._made = 0
        self._away = ""

    def program(self, name: str, run: Program) -> None:
        """Let `name` (of any directory) be run by `run` in all containers."""
        self._programs[name] = run

    def add_image(self, reference: str, files: Mapping[str, bytes] | None = None, arch: str = "amd64") -> ImageInfo:
        """Put an image into the store."""
        return self.images.add(reference, tree_of(files or {}), arch=arch, created_at=self._clock())

    def files(self, handle: ContainerHandle) -> MemoryFiles:
        """What the container sees."""
        return self._get(handle).files

    def add_volume(self, source: str, size_bytes: int) -> None:
        """Let bind mounts of `source` show a file system of this size."""
        with self._changed:
            self._volumes[source] = MemoryTree(size_bytes=size_bytes)

    def volume(self, source: str) -> MemoryTree:
        """The tree that bind mounts of `source` show."""
        with self._changed:
            return self._volumes.setdefault(source, MemoryTree())

    def spec(self, handle: ContainerHandle) -> ContainerSpec:
        """How the container was asked for."""
        return self._get(handle).spec

    def die(self, handle: ContainerHandle, exit_code: int = 137) -> None:
        """PID 1 ends."""
        self._get(handle).end(exit_code)

    def run_out_of_memory(self, handle: ContainerHandle) -> None:
        """The memory limit kills PID 1."""
        self._get(handle).end(137, reason="OOMKilled", oom_killed=True)

    def vanish(self, handle: ContainerHandle) -> None:
        """Somebody else removes the container."""
        with self._changed:
            found = self._containers.pop(handle.id, None)
            if found is not None:
                found.end(137, reason="deleted")
            self._changed.notify_all()

    def go_away(self, why: str = "connection refused") -> None:
        """Let every call be `RuntimeUnavailable` until `come_back`. Containers live on."""
        self._away = why

    def come_back(self) -> None:
        """End of `go_away`."""
        self._away = ""

    def _answer(self) -> None:
        if self._away:
            raise RuntimeUnavailable("the in-memory runtime is away", details=self._away)

    def _get(self, handle: ContainerHandle) -> MemoryContainer:
        self._answer()
        with self._changed:
            found = self._containers.get(handle.id)
        if found is None:
            raise ContainerNotFound(f"there is no container {handle.name} ({handle.id[:12]})")
        return found

    def _mount(self, spec: ContainerSpec, root: MemoryTree, base: MemoryContainer | None) -> MemoryFiles:
        mounts = {"/": root}
        if base is not None:
            mounts[spec.companion_root] = base.files.mounts["/"]
        for mount in spec.mounts:
            root.put(mount.target, DIRECTORY)
            mounts[mount.target] = self._tree(mount)
        return MemoryFiles(mounts)

    def _tree(self, mount: VolumeMount) -> MemoryTree:
        if mount.kind is MountKind.BIND:
            return self.volume(mount.source)
        return MemoryTree(size_bytes=mount.size_bytes if mount.kind is MountKind.TMPFS else None)


def tree_of(files: Mapping[str, bytes]) -> MemoryTree:
    """A tree of these files and the directories they are in."""
    root = MemoryTree()
    for path, data in files.items():
        root.put(path, Node(Kind.FILE, data))
    return root
