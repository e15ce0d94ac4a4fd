"""From what the API server says of a pod to states and errors of ours: pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from koji_adjutant.container.interface import ContainerState, ContainerStatus
from koji_adjutant.errors import ContainerError, ImageError

MISSING = ContainerState(ContainerStatus.MISSING, reason="deleted")
_LOST_PODS = {"NodeLost", "NodeAffinity"}
"""Reasons of a pod that say it runs no more, whatever its containers' states say."""
_IMAGE_WAITS = {
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RegistryUnavailable",
    "SignatureValidationFailed",
}
_START_WAITS = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PreCreateHookError",
    "PreStartHookError",
    "PostStartHookError",
    "CrashLoopBackOff",
}
_NOT_STARTED = {"StartError", "ContainerCannotRun"}
_DENIED = ("denied", "unauthorized", "authentication required", "authorization failed", "403", "401")
_ABSENT = ("not found", "manifest unknown", "name unknown", "404", "does not exist")
_FOREIGN = ("no match for platform", "exec format error", "does not match the specified platform")
_ANY_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def state_of(pod: Mapping[str, Any] | None, container: str) -> ContainerState:
    """The state of one container of a pod; None: the pod is gone."""
    if pod is None:
        return MISSING
    status = pod.get("status") or {}
    entry = container_status(pod, container)
    ended = (entry.get("state") or {}).get("terminated")
    lost = _lost(pod)
    if lost:
        return ContainerState(ContainerStatus.EXITED, _code(ended), reason=lost)
    if ended:
        word = str(ended.get("reason") or "")
        if word != "OOMKilled" and (pod.get("metadata") or {}).get("deletionTimestamp"):
            # Somebody takes the pod away: that, and not the signal its containers got, is why they ended.
            word = loss_reason(pod)
        return ContainerState(ContainerStatus.EXITED, _code(ended), word == "OOMKilled", word)
    if status.get("phase") in {"Failed", "Succeeded"}:
        return ContainerState(ContainerStatus.EXITED, reason=str(status.get("reason") or status["phase"]))
    if (entry.get("state") or {}).get("running"):
        return ContainerState(ContainerStatus.RUNNING)
    return ContainerState(ContainerStatus.CREATED, reason=waiting_for(pod, container))


def container_status(pod: Mapping[str, Any], container: str) -> Mapping[str, Any]:
    """What the kubelet says of a container, of the init ones too; empty if it has said nothing yet."""
    status = pod.get("status") or {}
    entries = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return next((entry for entry in entries if entry.get("name") == container), {})


def waiting_for(pod: Mapping[str, Any], container: str) -> str:
    """What a container that does not run yet waits for, in the cluster's word; empty if it says nothing."""
    unscheduled = _condition(pod, "PodScheduled")
    if unscheduled.get("status") == "False":
        return str(unscheduled.get("reason") or "")
    waiting = (container_status(pod, container).get("state") or {}).get("waiting") or {}
    return str(waiting.get("reason") or "")


def loss_reason(pod: Mapping[str, Any] | None) -> str:
    """Why a pod that is gone went, as its last state tells: `Evicted`, `NodeLost` or `deleted`."""
    target = _condition(pod or {}, "DisruptionTarget")
    if target.get("status") != "True":
        return _lost(pod or {}) or "deleted"
    return "NodeLost" if target.get("reason") == "DeletionByTaintManager" else "Evicted"


def start_obstacle(pod: Mapping[str, Any], name: str) -> ContainerError | None:
    """Why the pod of `name` will not start by waiting longer; None: it may.

    An unschedulable pod is not meant: the caller gives the cluster some time (see `unschedulable`).
    """
    for entry, image in _waiting(pod):
        state = entry.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason") in _IMAGE_WAITS:
            return image_error(image, str(waiting["reason"]), str(waiting.get("message") or ""))
        if waiting.get("reason") in _START_WAITS:
            return _cannot_start(name, entry, waiting)
        if ended.get("reason") in _NOT_STARTED or (entry.get("init") and ended and ended.get("exitCode") != 0):
            return _cannot_start(name, entry, ended)
    return None


def unschedulable(pod: Mapping[str, Any], name: str) -> ContainerError | None:
    """The error for a pod that no node takes; None: it has a node, or nobody has looked yet."""
    found = _condition(pod, "PodScheduled")
    if found.get("status") != "False" or found.get("reason") != "Unschedulable":
        return None
    return ContainerError(
        f"no node of the cluster takes the pod of {name}",
        details=str(found.get("message") or ""),
        resolution="Compare its requests, node selector, affinity and tolerations with the nodes; wait for one to be added.",
        reason="unschedulable",
        retryable=True,
    )


def image_error(image: str, word: str, message: str) -> ImageError:
    """Which `ImageError` the kubelet's word on an image is."""
    text = message.lower()
    if _any(_FOREIGN, text):
        reason, remedy = "wrong-arch", "Name an image for the architecture of the nodes, or choose nodes by it."
    elif word in {"ErrImageNeverPull", "InvalidImageName"}:
        reason, remedy = "missing", "Check the image's name and tag; it must be on the node (images.pull is `never`)."
    elif _any(_DENIED, text):
        reason, remedy = "denied", "Set kubernetes.image_pull_secrets, or name another image."
    elif _any(_ABSENT, text):
        reason, remedy = "missing", "Check the image's name and tag."
    else:
        reason, remedy = "pull-failed", "Check that the nodes reach the registry; a task tries again by itself."
    return ImageError(
        f"image {image} cannot be had by the cluster ({word})",
        details=message,
        resolution=remedy,
        reason=reason,
        retryable=reason == "pull-failed",
    )


def image_digest(pod: Mapping[str, Any], container: str) -> str:
    """Digest of the image that a container runs in, `sha256:...`; empty if the kubelet does not say."""
    entry = container_status(pod, container)
    for text in (str(entry.get("imageID") or ""), str(entry.get("image") or "")):
        if match := _ANY_DIGEST.findall(text):
            return str(match[-1])
    return ""


def _waiting(pod: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
    """Each container's status with its image, init containers marked."""
    status = pod.get("status") or {}
    images = {entry["name"]: str(entry.get("image") or "") for entry in _containers(pod)}
    entries = [{**entry, "init": True} for entry in status.get("initContainerStatuses") or []]
    entries += list(status.get("containerStatuses") or [])
    return [(entry, images.get(entry.get("name"), str(entry.get("image") or ""))) for entry in entries]


def _containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = pod.get("spec") or {}
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def _cannot_start(name: str, entry: Mapping[str, Any], said: Mapping[str, Any]) -> ContainerError:
    word = str(said.get("reason") or f"exit code {said.get('exitCode')}")
    message = str(said.get("message") or "")
    if _any(_FOREIGN, message.lower()):
        return image_error(str(entry.get("image") or ""), word, message)
    return ContainerError(
        f"{name} cannot be started: container {entry.get('name')} of its pod says {word}",
        details=message,
        reason="start",
    )


def _lost(pod: Mapping[str, Any]) -> str:
    """The pod's own reason why nothing of it runs any more; empty if it says none."""
    status = pod.get("status") or {}
    word = str(status.get("reason") or "")
    if word in _LOST_PODS or (word and status.get("phase") == "Failed"):
        return word
    leaving = (pod.get("metadata") or {}).get("deletionTimestamp")
    ready = _condition(pod, "Ready")
    if leaving and ready.get("status") == "Unknown":
        return "NodeLost"
    return ""


def _condition(pod: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry.get("type") == kind), {})


def _code(ended: Mapping[str, Any] | None) -> int | None:
    code = (ended or {}).get("exitCode")
    return code if isinstance(code, int) else None


def _any(words: tuple[str, ...], text: str) -> bool:
    return any(word in text for word in words)
