"""`SupportsCommit` for a runtime that has no capability `commit`: it says so, instead of lacking the methods."""

from __future__ import annotations

from collections.abc import Mapping

from koji_adjutant.container.interface import ContainerHandle, ImageInfo
from koji_adjutant.errors import CapabilityMissing

_WHY = "A cluster makes no images of its pods, and its nodes keep their own house over those they pulled."


class NoImages:
    """Images of our own making: none. All but the list raise `CapabilityMissing`."""

    def commit(self, handle: ContainerHandle, reference: str, labels: Mapping[str, str]) -> ImageInfo:
        raise CapabilityMissing(f"{handle.name} cannot be made image {reference} ({len(labels)} labels)", details=_WHY)

    def make_image(self, reference: str, files: Mapping[str, bytes], labels: Mapping[str, str]) -> ImageInfo:
        what = f"image {reference} of {len(files)} files ({len(labels)} labels) cannot be made"
        raise CapabilityMissing(what, details=_WHY)

    def list_images(self, labels: Mapping[str, str]) -> list[ImageInfo]:  # noqa: ARG002 - of the contract
        return []

    def remove_image(self, reference: str) -> bool:
        raise CapabilityMissing(f"image {reference} cannot be removed", details=_WHY)
