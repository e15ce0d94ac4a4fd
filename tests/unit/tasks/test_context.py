"""What a task's containers are labelled with, and whether its packages come through the daemon."""

from types import SimpleNamespace

import pytest

from koji_adjutant.config.adjutant import AdjutantConfig
from koji_adjutant.container.interface import LABEL_ARCH, LABEL_METHOD, LABEL_TAG, MountAccess
from koji_adjutant.hub.identity import HostIdentity
from koji_adjutant.tasks.context import TaskContext


def context(access=MountAccess.READABLE, **config):
    """A task's context on a runtime whose mounts are `access`."""
    nothing = None
    return TaskContext(
        task_id=5,
        method="buildArch",
        start_ts=1.5,
        identity=HostIdentity(1, "builder", "http://hub.example.com/kojihub", session_start_ts=1.0),
        options=nothing,
        config=AdjutantConfig.model_validate(config),
        session=nothing,
        new_session=nothing,
        runtime=SimpleNamespace(mount_access=lambda: access),
        journal=SimpleNamespace(remember=lambda _, act: act()),
        directory=nothing,
        shared=nothing,
    )


def test_labels_to_make_include_those_to_find():
    """A container carries the labels it is found by, the method, and tag and arch where they are known."""
    task = context()
    labels = task.container_labels("tools", tag="f1-build", arch="i686")
    assert task.labels("tools").items() <= labels.items()
    assert {LABEL_METHOD: "buildArch", LABEL_TAG: "f1-build", LABEL_ARCH: "i686"}.items() <= labels.items()
    assert not {LABEL_TAG, LABEL_ARCH} & set(task.container_labels("work-x"))


@pytest.mark.parametrize(
    ("repo_access", "access", "proxied"),
    [
        ("proxy", MountAccess.READABLE, True),
        ("proxy", MountAccess.SHARED, True),
        ("proxy", MountAccess.COPIED, False),
        ("network", MountAccess.READABLE, False),
    ],
)
def test_proxy_needs_a_socket_in_a_mount(repo_access, access, *, proxied):
    """Packages come through the daemon's proxy where that is configured and a mount can hold its socket."""
    assert context(access, build={"repo_access": repo_access}).proxied is proxied


def test_settings_of_containers_are_those_of_the_runtime():
    """User namespace, profile and empty image are taken from the section of the runtime that is in use."""
    podman = {"userns": False, "seccomp_profile": "/etc/profile.json"}
    config = context(podman=podman).config
    assert (config.userns, config.seccomp_profile) == (False, "/etc/profile.json")
    assert config.empty_image == config.images.empty
    config = context(runtime="kubernetes", podman=podman, kubernetes={"empty_image": "pause:1"}).config
    assert (config.userns, config.seccomp_profile, config.empty_image) == (True, None, "pause:1")
    assert not context(runtime="kubernetes", kubernetes={"userns": "off"}).config.userns
