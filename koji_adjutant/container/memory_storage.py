"""Files, images and ids of the in-memory runtime's containers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from koji_adjutant.container.interface import LABEL_MANAGED, ContainerHandle, CopiedFile, ImageInfo
from koji_adjutant.container.memory_copy import copy_in, copy_out, list_directory
from koji_adjutant.container.memory_world import MemoryWorld, tree_of


class MemoryStorage(MemoryWorld):
    """The part of `MemoryManager` that concerns what is stored; see `ContainerManager` and `SupportsCommit`."""

    def copy_to(self, handle: ContainerHandle, source: Path | bytes, target: str, *, mode: int = 0o644) -> None:
        copy_in(self._get(handle).files, source, target, mode)

    def copy_from(self, handle: ContainerHandle, source: str, target: BinaryIO, *, max_bytes: int) -> int:
        return copy_out(self._get(handle).files, source, target, max_bytes)

    def list_files(self, handle: ContainerHandle, directory: str, *, max_entries: int = 100_000) -> list[CopiedFile]:
        return list_directory(self._get(handle).files, directory, max_entries)

    def host_ids(self, handle: ContainerHandle) -> tuple[int, int]:
        """Host uid and gid of the container's root: each has a range of its own, companions share it."""
        found = self._get(handle).host_id
        return found, found

    def commit(self, handle: ContainerHandle, reference: str, labels: Mapping[str, str]) -> ImageInfo:
        container = self._get(handle)
        root = container.files.mounts["/"].copy()
        whole = {LABEL_MANAGED: "true", **labels}
        return self.images.add(reference, root, labels=whole, created_at=self._clock())

    def make_image(self, reference: str, files: Mapping[str, bytes], labels: Mapping[str, str]) -> ImageInfo:
        root = tree_of(files)
        return self.images.add(reference, root, labels={LABEL_MANAGED: "true", **labels}, created_at=self._clock())

    def list_images(self, labels: Mapping[str, str]) -> list[ImageInfo]:
        self._answer()
        return self.images.list(labels)

    def remove_image(self, reference: str) -> bool:
        self._answer()
        with self._changed:
            found = self.images.find(reference)
            if found is not None and any(each.image_id == found.info.id for each in self._containers.values()):
                return False
            self.images.remove(reference)
            return True
