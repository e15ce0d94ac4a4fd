"""Podman's JSON about containers and images as the contract's dataclasses."""

from __future__ import annotations

import pytest

from koji_adjutant.container.interface import LABEL_MANAGED, LABEL_TAG, LABEL_TASK, ContainerStatus
from koji_adjutant.container.podman_images import image_info, label_changes, pull_error
from koji_adjutant.container.podman_payload import IdRange
from koji_adjutant.container.podman_state import base_of, id_maps, info_of, same_owner, state_of, status_of
from koji_adjutant.errors import CapabilityMissing, ContainerError

INSPECTION = {
    "Id": "abc",
    "State": {"Status": "exited", "ExitCode": 3, "OOMKilled": False, "Error": ""},
    "HostConfig": {"IDMappings": {"UidMap": ["0:200000:65536"], "GidMap": ["0:300000:65536"]}},
    "GraphDriver": {"Name": "overlay", "Data": {"MergedDir": "/merged"}},
}


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("created", ContainerStatus.CREATED),
        ("initialized", ContainerStatus.CREATED),
        ("running", ContainerStatus.RUNNING),
        ("paused", ContainerStatus.RUNNING),
        ("stopping", ContainerStatus.RUNNING),
        ("exited", ContainerStatus.EXITED),
        ("stopped", ContainerStatus.EXITED),
        ("removing", ContainerStatus.EXITED),
        ("unknown", ContainerStatus.EXITED),
    ],
)
def test_status(word, status):
    """Each of Podman's words has a place; unknown ones are an end."""
    assert status_of(word) is status


def test_exit_code_only_when_exited():
    """The exit code 0 that Podman gives for a running container is not one."""
    running = {**INSPECTION, "State": {"Status": "running", "ExitCode": 0}}
    assert state_of(running).exit_code is None
    assert state_of(INSPECTION).exit_code == 3


def test_out_of_memory_is_the_reason():
    """A container that the memory limit killed says so."""
    killed = {**INSPECTION, "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": True}}
    assert (state_of(killed).oom_killed, state_of(killed).reason) == (True, "OOMKilled")


def test_id_maps_and_base():
    """Maps are read from Podman's text; a container without a namespace has none."""
    assert id_maps(INSPECTION) == ((IdRange(0, 200000, 65536),), (IdRange(0, 300000, 65536),))
    assert id_maps({"HostConfig": {"IDMappings": None}}) == ((), ())
    assert base_of(INSPECTION).root == "/merged"


def test_base_needs_a_mounted_root():
    """A storage driver that does not tell the root is named, with the remedy."""
    with pytest.raises(CapabilityMissing) as caught:
        base_of({**INSPECTION, "GraphDriver": {"Name": "vfs", "Data": None}})
    assert "vfs" in caught.value.brief
    assert "overlay" in caught.value.resolution


def test_list_entry():
    """An entry of the list has labels, state and time; labels a commit had to empty are none."""
    entry = {
        "Id": "a",
        "Names": ["n"],
        "State": "running",
        "Created": "2026-01-01T00:00:00.123456789Z",
        "Labels": {LABEL_MANAGED: "true", LABEL_TASK: "", "other": ""},
    }
    info = info_of(entry)
    assert info.labels == {LABEL_MANAGED: "true", "other": ""}
    assert int(info.created_at) == 1767225600


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        ({LABEL_TASK: "1"}, {LABEL_TASK: "1", "from-image": "x"}, True),
        ({LABEL_TASK: "1"}, {LABEL_TASK: "2"}, False),
        ({LABEL_TASK: "1"}, {}, False),
        ({}, {LABEL_TASK: "1"}, False),
        ({}, {LABEL_TASK: ""}, True),
        ({LABEL_TASK: "1"}, {LABEL_TASK: "1", "io.koji.adjutant.prepared": "of the image"}, True),
        ({LABEL_TASK: "1", LABEL_TAG: "f1"}, {LABEL_TASK: "1"}, True),
        ({LABEL_TASK: "1", LABEL_TAG: "f1"}, {LABEL_TASK: "1", LABEL_TAG: "f2"}, False),
    ],
)
def test_same_owner(wanted, found, same):
    """Our labels decide whose a container is; those of its image do not, nor those that an earlier version did not give."""
    assert same_owner(wanted, found) is same


def test_labels_of_an_image():
    """A commit gets the labels asked for, and none of ours that its container had."""
    changes = label_changes({LABEL_TASK: "1", "foreign": "x"}, {LABEL_MANAGED: "true"})
    assert changes == [f'LABEL "{LABEL_TASK}"=""', f'LABEL "{LABEL_MANAGED}"="true"']


@pytest.mark.parametrize("value", ['a"b', "a\\b", "$x", "a\nb"])
def test_label_that_would_change(value):
    """A value that the instruction's quoting would change is refused, not altered."""
    with pytest.raises(ContainerError):
        label_changes({}, {"label": value})


def test_image_without_a_digest():
    """Where Podman gives no digest the id identifies the content."""
    assert image_info("i", {"Id": "abc"}).digest == "sha256:abc"


@pytest.mark.parametrize(
    ("message", "reason", "retryable"),
    [
        ("unauthorized: access to the requested resource is not authorized", "denied", False),
        ("denied: requested access to the resource is denied", "denied", False),
        ("reading manifest 1 in x: manifest unknown", "missing", False),
        ("pinging container registry x: connection refused", "pull-failed", True),
        ("received unexpected HTTP status: 503 Service Unavailable", "pull-failed", True),
    ],
)
def test_failed_pulls(message, reason, retryable):
    """What may pass is retryable; what somebody has to mend is not."""
    error = pull_error("registry/image:1", message)
    assert (error.reason, error.retryable) == (reason, retryable)
    assert error.resolution
