"""An image brought to the disk, on real Podman."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from koji_adjutant.container.interface import LABEL_WORKER, ContainerSpec
from koji_adjutant.container.podman_manager import PodmanManager
from koji_adjutant.errors import ImageError

pytestmark = pytest.mark.podman


@pytest.fixture
def manager(podman_socket: Path) -> Iterator[PodmanManager]:
    """The runtime."""
    found = PodmanManager(str(podman_socket))
    yield found
    found.close()


@pytest.mark.parametrize("userns", [True, False])
def test_every_file_of_a_committed_image(podman_socket: Path, empty_image: str, userns: bool) -> None:
    """With and without a user namespace the image's files are found and brought to the disk, one by one."""
    manager = PodmanManager(str(podman_socket), userns=userns)
    reference = f"localhost/koji-adjutant-conformance-disk:{uuid.uuid4().hex[:12]}"
    name = f"adjutant-disk-{uuid.uuid4().hex[:12]}"
    handle = manager.create(ContainerSpec(name, empty_image, ("none",), labels={LABEL_WORKER: name}))
    try:
        for number in range(20):
            manager.copy_to(handle, b"x" * 5000, f"/run/file-{number}")
        image = manager.commit(handle, reference, {})
        took: list[float] = []
        assert manager.sync_image(image.id, took.append)
        assert len(took) > 20
    finally:
        manager.remove(handle)
        manager.remove_image(reference)
        manager.close()


def test_an_image_that_is_gone(manager: PodmanManager) -> None:
    """It is said to be missing, by its name."""
    with pytest.raises(ImageError, match="localhost/none:1") as caught:
        manager.sync_image("localhost/none:1", lambda _: None)
    assert caught.value.reason == "missing"
