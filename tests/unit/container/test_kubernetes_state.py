"""From what a cluster says of a pod to states and errors of ours."""

from __future__ import annotations

import pytest

from koji_adjutant.container.interface import ContainerState, ContainerStatus
from koji_adjutant.container.kubernetes_state import (
    image_digest,
    image_error,
    loss_reason,
    start_obstacle,
    state_of,
    unschedulable,
    waiting_for,
)

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
DIGEST = "sha256:" + "a1" * 32


def pod(state=None, *, init=None, conditions=(), metadata=None, container=None, **status):
    """A pod with one container `task` in a state."""
    entries = [] if state is None else [{"name": "task", "state": state, **(container or {})}]
    found = {"containerStatuses": entries, "conditions": list(conditions), **status}
    if init is not None:
        found["initContainerStatuses"] = [{"name": "static", "state": init}]
    spec = {"containers": [{"name": "task", "image": "example.com/root:1"}], "initContainers": [{"name": "static"}]}
    return {"metadata": {"name": "task-7", **(metadata or {})}, "spec": spec, "status": found}


def condition(kind, status, reason, message=""):
    """A condition of a pod."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (None, ContainerState(ContainerStatus.MISSING, reason="deleted")),
        (pod(phase="Pending"), ContainerState(ContainerStatus.CREATED)),
        (
            pod({"waiting": {"reason": "ContainerCreating"}}, phase="Pending"),
            ContainerState(ContainerStatus.CREATED, reason="ContainerCreating"),
        ),
        (pod(RUNNING, phase="Running"), ContainerState(ContainerStatus.RUNNING)),
        (
            pod({"terminated": {"exitCode": 3, "reason": "Error"}}, phase="Running"),
            ContainerState(ContainerStatus.EXITED, 3, reason="Error"),
        ),
        (
            pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, phase="Failed"),
            ContainerState(ContainerStatus.EXITED, 137, oom_killed=True, reason="OOMKilled"),
        ),
        (pod(phase="Failed", reason="Evicted"), ContainerState(ContainerStatus.EXITED, reason="Evicted")),
        (
            pod(RUNNING, phase="Failed", reason="DeadlineExceeded"),
            ContainerState(ContainerStatus.EXITED, reason="DeadlineExceeded"),
        ),
        (pod(RUNNING, phase="Running", reason="NodeLost"), ContainerState(ContainerStatus.EXITED, reason="NodeLost")),
        (
            pod(
                RUNNING,
                phase="Running",
                metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"},
                conditions=[condition("Ready", "Unknown", "NodeStatusUnknown")],
            ),
            ContainerState(ContainerStatus.EXITED, reason="NodeLost"),
        ),
    ],
)
def test_state_of_a_container(found, state):
    """Phase, container state, eviction, deadline and lost nodes each have their state."""
    assert state_of(found, "task") == state


def test_other_containers_do_not_count():
    """A container that the kubelet has not spoken of is created, whatever the others do."""
    assert state_of(pod(RUNNING, phase="Running"), "tools").status is ContainerStatus.CREATED


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (None, "deleted"),
        (pod(RUNNING), "deleted"),
        (pod(RUNNING, conditions=[condition("DisruptionTarget", "True", "EvictionByEvictionAPI")]), "Evicted"),
        (pod(RUNNING, conditions=[condition("DisruptionTarget", "True", "DeletionByTaintManager")]), "NodeLost"),
        (pod(phase="Failed", reason="Evicted"), "Evicted"),
    ],
)
def test_why_a_pod_went(last, reason):
    """The last state of a pod tells an eviction and a lost node from a removal."""
    assert loss_reason(last) == reason


@pytest.mark.parametrize(
    ("word", "message", "reason", "retryable"),
    [
        ("ErrImagePull", "rpc error: ... pull access denied, repository does not exist", "denied", False),
        ("ErrImagePull", 'failed to resolve reference "example.com/root:1": not found', "missing", False),
        ("ErrImageNeverPull", 'Container image "example.com/root:1" is not present', "missing", False),
        ("InvalidImageName", "couldn't parse image reference", "missing", False),
        ("ErrImagePull", "dial tcp 10.0.0.1:443: connect: connection refused", "pull-failed", True),
        ("ImageInspectError", "no match for platform in manifest: not found", "wrong-arch", False),
    ],
)
def test_images_that_cannot_be_had(word, message, reason, retryable):
    """The kubelet's word on an image is an error that names the image, its reason, and whether it may pass."""
    error = start_obstacle(pod({"waiting": {"reason": word, "message": message}}), "builder")
    assert (error.reason, error.retryable) == (reason, retryable)
    assert "example.com/root:1" in error.brief
    assert error.details == message


@pytest.mark.parametrize(
    "state",
    [
        {"waiting": {"reason": "CreateContainerConfigError", "message": "said"}},
        {"waiting": {"reason": "CreateContainerError", "message": "said"}},
        {"terminated": {"reason": "StartError", "exitCode": 128, "message": "said"}},
    ],
)
def test_containers_that_cannot_start(state):
    """A container that the runtime cannot start ends the wait, with its words."""
    error = start_obstacle(pod(state), "builder")
    assert (error.reason, error.details) == ("start", "said")
    assert "builder" in error.brief


def test_init_container_that_fails():
    """The init container that brings the static programs may not fail."""
    assert start_obstacle(pod(init={"terminated": {"exitCode": 1, "reason": "Error"}}), "builder").reason == "start"
    assert start_obstacle(pod(init={"terminated": {"exitCode": 0, "reason": "Completed"}}), "builder") is None


@pytest.mark.parametrize("state", [None, RUNNING, {"waiting": {"reason": "PodInitializing"}}])
def test_no_obstacle(state):
    """What only takes time is no obstacle, nor is a program that ended by itself."""
    assert start_obstacle(pod(state), "builder") is None
    assert start_obstacle(pod({"terminated": {"exitCode": 1, "reason": "Error"}}), "builder") is None


def test_unschedulable():
    """A pod that no node takes says so with the scheduler's reason; one that was not looked at says nothing."""
    found = pod(conditions=[condition("PodScheduled", "False", "Unschedulable", "0/1 nodes are available")])
    error = unschedulable(found, "builder")
    assert (error.reason, error.retryable, error.details) == ("unschedulable", True, "0/1 nodes are available")
    assert waiting_for(found, "task") == "Unschedulable"
    assert unschedulable(pod(), "builder") is None
    assert unschedulable(pod(conditions=[condition("PodScheduled", "True", "")]), "builder") is None


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        (f"docker-pullable://example.com/root@{DIGEST}", DIGEST),
        (f"example.com/root@{DIGEST}", DIGEST),
        (DIGEST, DIGEST),
        ("", ""),
    ],
)
def test_digest_of_an_image(image_id, digest):
    """The digest is found in every form of imageID."""
    assert image_digest(pod(RUNNING, container={"imageID": image_id}), "task") == digest


def test_image_error_without_words():
    """A back-off without a cause is a pull that may work later."""
    assert image_error("a:1", "ImagePullBackOff", "").reason == "pull-failed"
