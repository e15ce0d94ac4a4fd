"""From the configuration to a manager, and which image a task may run in."""

from __future__ import annotations

import pytest

from koji_adjutant.config.adjutant import AdjutantConfig
from koji_adjutant.config.images import ImagesSection
from koji_adjutant.container.factory import create_container_manager
from koji_adjutant.container.image_policy import allowed_image, pull_policy, tools_image
from koji_adjutant.container.interface import MountAccess, PullPolicy
from koji_adjutant.container.memory_manager import MemoryManager
from koji_adjutant.container.podman_manager import PodmanManager
from koji_adjutant.errors import ConfigurationError, ImageError, RuntimeUnavailable


def _config(**values):
    return AdjutantConfig.model_validate(values)


def test_runtimes():
    """Each runtime has its manager."""
    assert isinstance(create_container_manager(_config(runtime="memory")), MemoryManager)
    assert isinstance(create_container_manager(_config(runtime="podman"), {}, 0), PodmanManager)


def test_cluster(tmp_path):
    """Its manager is made without a request; what it cannot do without is named first."""
    with pytest.raises(ConfigurationError, match=r"kubernetes\.runner_image"):
        create_container_manager(_config(runtime="kubernetes"))
    section = {"runner_image": "koji-adjutant", "config": str(tmp_path / "nosuch")}
    manager = create_container_manager(
        _config(runtime="kubernetes", kubernetes=section), topdir="/mnt/koji", worker="w"
    )
    assert manager.mount_access() is MountAccess.COPIED
    manager.close()


def test_socket_of_another_machine():
    """A socket that is not of this machine is refused, with the remedy."""
    with pytest.raises(ConfigurationError) as caught:
        create_container_manager(_config(podman={"socket": "tcp://elsewhere:8080"}), {}, 0)
    assert "podman.socket" in caught.value.brief


def test_missing_socket(tmp_path):
    """A socket that is not there is unavailable, with how to start the service."""
    manager = create_container_manager(_config(podman={"socket": f"unix://{tmp_path}/nosuch.sock"}), {}, 0)
    with pytest.raises(RuntimeUnavailable) as caught:
        manager.health_check()
    assert "podman.socket" in caught.value.resolution
    assert "nosuch.sock" in caught.value.brief


IMAGES = ImagesSection.model_validate(
    {
        "tools": "localhost/tools:1",
        "rules": [{"tag": "f*", "arch": "s390x", "image": "localhost/s390x:1"}],
        "pull": {"rules": [{"image": "registry.example.com/*", "policy": "always"}]},
    }
)


@pytest.mark.parametrize(
    ("tag", "arch", "image"),
    [
        ("f44", "s390x", "localhost/s390x:1"),
        ("f44", "x86_64", "localhost/tools:1"),
        ("el9", "s390x", "localhost/tools:1"),
    ],
)
def test_rules(tag, arch, image):
    """The first rule that matches names the image, else the default."""
    assert tools_image(IMAGES, tag=tag, arch=arch, method="buildArch") == image


def test_tag_names_an_image():
    """A tag's own image comes first, where it is allowed."""
    found = tools_image(IMAGES, tag="f44", arch="x86_64", method="buildArch", of_tag="localhost/own:1")
    assert found == "localhost/own:1"


def test_image_not_allowed():
    """An image that is not allowed is refused, naming who wants it and the setting."""
    with pytest.raises(ImageError) as caught:
        tools_image(IMAGES, tag="f44", arch="x86_64", method="buildArch", of_tag="evil.example.com/x")
    text = str(caught.value)
    assert caught.value.reason == "not-allowed"
    assert all(word in text for word in ("evil.example.com/x", "tag f44", "images.allowed"))
    assert allowed_image(IMAGES, "localhost/any:1", wanted_by="test") == "localhost/any:1"


def test_no_image_at_all():
    """Where nothing names an image, the settings that could are named."""
    with pytest.raises(ImageError) as caught:
        tools_image(ImagesSection(), tag="f44", arch="x86_64", method="buildArch")
    assert "images.tools" in caught.value.resolution


def test_pull_policy():
    """Rules come first, local images are never pulled."""
    assert pull_policy(IMAGES, "registry.example.com/x:1") is PullPolicy.ALWAYS
    assert pull_policy(IMAGES, "localhost/x:1") is PullPolicy.NEVER
    assert pull_policy(IMAGES, "quay.io/x:1") is PullPolicy.MISSING
