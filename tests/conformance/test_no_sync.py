"""A container that waits for no disk, on real Podman."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from koji_adjutant.buildroot.no_sync import profile_without_sync
from koji_adjutant.container.factory import SECCOMP_PROFILE
from koji_adjutant.container.interface import LABEL_WORKER, ContainerHandle, ContainerSpec, VolumeMount
from koji_adjutant.container.podman_manager import PodmanManager
from koji_adjutant.container.static_tools import static_directory
from koji_adjutant.container.steps import BIN_DIR

pytestmark = pytest.mark.podman

# A pipe cannot be synchronised: the kernel says so, unless it is never asked.
SYNC_A_PIPE = "import os; os.fsync(os.pipe()[1]); os.fdatasync(os.pipe()[1]); os.sync()"


@pytest.fixture
def manager(podman_socket: Path) -> Iterator[PodmanManager]:
    """The runtime."""
    found = PodmanManager(str(podman_socket))
    yield found
    found.close()


def started(manager: PodmanManager, image: str, profile: Path) -> ContainerHandle:
    """A container with python under a seccomp profile."""
    handle = manager.create(
        ContainerSpec(
            name=f"adjutant-sync-{uuid.uuid4().hex[:12]}",
            image=image,
            command=(f"{BIN_DIR}/adjutant-runner", "pause"),
            labels={LABEL_WORKER: f"sync-{uuid.uuid4().hex}"},
            mounts=(VolumeMount(BIN_DIR, str(static_directory())),),
            seccomp_profile=str(profile),
        )
    )
    manager.start(handle)
    return handle


def test_calls_for_durability_do_nothing(manager: PodmanManager, tools_image: str, tmp_path: Path) -> None:
    """Under the profile of `tools` they succeed even where the kernel would refuse; under the ordinary one they do not."""
    profile = profile_without_sync(SECCOMP_PROFILE, tmp_path)
    for chosen, code in ((profile, 0), (SECCOMP_PROFILE, 1)):
        container = started(manager, tools_image, chosen)
        try:
            done = manager.exec(container, ["python3", "-c", SYNC_A_PIPE])
        finally:
            manager.remove(container)
        assert done.exit_code == code, done.stderr.decode(errors="replace")
    assert b"Invalid argument" in done.stderr
