"""Events of a pod: what the scheduler and the kubelet said, for errors whose own words are too few."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from koji_adjutant.container.kubernetes_api import KubernetesApi
from koji_adjutant.container.kubernetes_labels import PodRef
from koji_adjutant.container.kubernetes_state import image_error
from koji_adjutant.errors import ContainerError, ImageError

_MOST = 10


def explain(api: KubernetesApi, ref: PodRef, error: ContainerError) -> ContainerError:
    """`error` with the pod's warnings in its details; as it is where they cannot be had."""
    warnings = pod_warnings(api, ref)
    if not warnings:
        return error
    if isinstance(error, ImageError) and error.reason == "pull-failed":
        # The kubelet says only "back-off" once it has tried a few times; its first event had the cause.
        cause = next((text for text in warnings if "pull image" in text.lower()), "")
        if cause and cause not in error.details:
            return image_error(_image(error), "ErrImagePull", f"{error.details}\n{cause}".strip())
    error.details = "\n".join(filter(None, [error.details, *warnings]))
    return error


def pod_warnings(api: KubernetesApi, ref: PodRef) -> list[str]:
    """The last warnings of a pod, oldest first."""
    query = [("fieldSelector", f"involvedObject.name={ref.pod},type=Warning")]
    try:
        found = api.request("GET", f"/api/v1/namespaces/{ref.namespace}/events", query=query)
    except ContainerError as error:
        return [f"(its events cannot be read: {error.brief})"]
    events = sorted(found.get("items") or [], key=_when)
    return [f"{event.get('reason')}: {event.get('message')}" for event in events][-_MOST:]


def _when(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _image(error: ImageError) -> str:
    return error.brief.removeprefix("image ").partition(" cannot be had")[0]
