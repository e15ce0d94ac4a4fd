"""Images of the in-memory runtime: a store, and a registry it pulls from."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from koji_adjutant.container.interface import ImageInfo, PullPolicy
from koji_adjutant.container.memory_files import MemoryTree
from koji_adjutant.errors import ImageError

ARCH = "amd64"


@dataclass(frozen=True)
class MemoryImage:
    """An image and its files."""

    info: ImageInfo
    root: MemoryTree


class MemoryImages:
    """Store and registry. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._store: dict[str, MemoryImage] = {}
        self._registry: dict[str, MemoryImage] = {}
        self._denied: set[str] = set()
        self._broken: set[str] = set()
        self._made = 0
        self.pulls: list[str] = []
        """References that were asked of the registry, in order."""

    def add(
        self,
        reference: str,
        root: MemoryTree | None = None,
        *,
        arch: str = ARCH,
        labels: Mapping[str, str] | None = None,
        created_at: float = 0.0,
        in_registry: bool = False,
    ) -> ImageInfo:
        """Put an image into the store, or into the registry only."""
        with self._lock:
            self._made += 1
            digest = hashlib.sha256(f"{reference} {self._made}".encode()).hexdigest()
            info = ImageInfo(reference, digest, f"sha256:{digest}", arch, 0, created_at, dict(labels or {}))
            place = self._registry if in_registry else self._store
            place[reference] = MemoryImage(info, root or MemoryTree())
            return info

    def deny(self, reference: str) -> None:
        """Let the registry refuse this image."""
        with self._lock:
            self._denied.add(reference)

    def breaks(self, reference: str) -> None:
        """Let pulls of this image fail for a reason that may pass."""
        with self._lock:
            self._broken.add(reference)

    def ensure(self, reference: str, policy: PullPolicy) -> ImageInfo:
        """See `ContainerManager.ensure_image_available`."""
        with self._lock:
            if policy is PullPolicy.ALWAYS or (reference not in self._store and policy is not PullPolicy.NEVER):
                self._pull(reference)
            found = self._store.get(reference)
        if found is None:
            raise ImageError(f"image {reference} is not in the store", reason="missing")
        if found.info.arch != ARCH:
            raise ImageError(f"image {reference} is for {found.info.arch}, this machine is {ARCH}", reason="wrong-arch")
        return found.info

    def find(self, reference: str) -> MemoryImage | None:
        """The image of the store."""
        with self._lock:
            return self._store.get(reference)

    def list(self, labels: Mapping[str, str]) -> list[ImageInfo]:
        """Images of the store with all of `labels`."""
        with self._lock:
            images = [each.info for each in self._store.values()]
        return [info for info in images if labels.items() <= info.labels.items()]

    def remove(self, reference: str) -> None:
        """Forget an image of the store."""
        with self._lock:
            self._store.pop(reference, None)

    def _pull(self, reference: str) -> None:
        self.pulls.append(reference)
        if reference in self._broken:
            raise ImageError(
                f"image {reference} cannot be pulled", details="status 500", reason="pull-failed", retryable=True
            )
        if reference in self._denied:
            raise ImageError(f"image {reference} cannot be pulled", details="unauthorized", reason="denied")
        if reference not in self._registry:
            raise ImageError(f"image {reference} cannot be pulled", details="manifest unknown", reason="missing")
        self._store[reference] = self._registry[reference]
