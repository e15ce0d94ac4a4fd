"""What a refused creation says."""

from __future__ import annotations

import pytest

from koji_adjutant.container.interface import ContainerSpec
from koji_adjutant.container.podman_client import PodmanRefusal
from koji_adjutant.container.podman_create import _create_error


@pytest.mark.parametrize(
    ("message", "reason", "remedy"),
    [
        ("container-init binary not found on the host: stat /usr/libexec/podman/catatonit", "create", "catatonit"),
        ("not enough unused IDs in user namespace", "create", "/etc/subuid"),
        ("write /var/lib/containers: no space left on device", "disk-full", ""),
        ("localhost/tools: image not known", "missing", "Pull it"),
    ],
)
def test_a_refusal_names_its_remedy(message: str, reason: str, remedy: str) -> None:
    """Who reads it knows what to do, as far as Podman's words tell."""
    error = _create_error(
        ContainerSpec("c", "localhost/tools", command=("true",)), PodmanRefusal("POST /containers/create", 500, message)
    )
    assert error.reason == reason
    assert remedy in error.resolution
    assert message in error.details
