"""Names, labels and annotations of pods, as Kubernetes allows them.

A label's value has at most 63 characters of `[A-Za-z0-9._-]`. What does not fit stands in an annotation of the same key, and
the label holds a digest of it, so that it can still be selected by.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from koji_adjutant.container.interface import LABEL_TASK, ContainerHandle
from koji_adjutant.errors import ContainerError, ContainerNotFound

RUNTIME = "kubernetes"
PREFIX = "io.koji.adjutant."
"""Of every label and annotation of ours."""
LABEL_NAME = "io.koji.adjutant.name"
"""Name of the first container's spec: how `create` finds what was made before."""
LABEL_NETWORK = "io.koji.adjutant.network"
"""`private` or `none`: what a NetworkPolicy selects by. Patched to `none` before a step that must be offline."""
ANNOTATION_CONTAINERS = "io.koji.adjutant.containers"
"""JSON: the containers of the pod by name, each with the name, labels and image of its spec."""
ANNOTATION_READY = "io.koji.adjutant.ready"
"""`true` once the pod's volumes are filled: before that nobody may use its containers."""

_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DIGEST = "sha256."
_NAME_CHARS = 63


@dataclass(frozen=True)
class PodLabels:
    """Labels of a spec, as a pod can carry them."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class PodRef:
    """One container of one pod: what `ContainerHandle.id` says."""

    namespace: str
    pod: str
    container: str

    @classmethod
    def parse(cls, handle: ContainerHandle) -> PodRef:
        """Read `NAMESPACE/POD/CONTAINER`.

        Raises:
            ContainerNotFound: the handle is of another runtime.
        """
        parts = handle.id.split("/")
        if handle.runtime != RUNTIME or len(parts) != 3 or not all(parts):
            raise ContainerNotFound(f"{handle.name} ({handle.runtime} {handle.id!r}) is no container of a pod")
        return cls(*parts)

    def handle(self, name: str) -> ContainerHandle:
        """The handle of the container whose spec is called `name`."""
        return ContainerHandle(f"{self.namespace}/{self.pod}/{self.container}", name, RUNTIME)


def encode_labels(labels: Mapping[str, str]) -> PodLabels:
    """Labels and annotations that say `labels`. `decode_labels` gives them back.

    Raises:
        ContainerError: a key that no label can have.
    """
    for key in labels:
        if not _KEY.fullmatch(key):
            raise ContainerError(f"{key!r} cannot be the key of a label", reason="label")
    long = {key: value for key, value in labels.items() if label_value(value) != value}
    return PodLabels({key: label_value(value) for key, value in labels.items()}, long)


def decode_labels(labels: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, str]:
    """The labels that were encoded."""
    return {key: annotations.get(key, value) if value.startswith(_DIGEST) else value for key, value in labels.items()}


def label_value(value: str) -> str:
    """`value` itself where a label can hold it, else a digest of it; two values never give the same."""
    # What looks like a digest is digested too, or it could be mistaken for one.
    if _VALUE.fullmatch(value) and not value.startswith(_DIGEST):
        return value
    return _DIGEST + hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:48]


def selector(labels: Mapping[str, str]) -> str:
    """A label selector for objects that carry all of `labels`."""
    return ",".join(f"{key}={value}" for key, value in sorted(encode_labels(labels).labels.items()))


def pod_name(name: str, labels: Mapping[str, str], token: str) -> str:
    """Name of the pod of the spec called `name`: `task-{id}-{token}`, or made of `name` where there is no task."""
    task = labels.get(LABEL_TASK)
    stem = dns_label(f"task-{task}" if task else name, _NAME_CHARS - 1 - len(token))
    return f"{stem}-{token}"


def name_token(name: str) -> str:
    """The random-looking end of a pod's name, the same for the same spec name: the API server then refuses a second pod."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:10]


def dns_label(text: str, limit: int = _NAME_CHARS) -> str:
    """The nearest name that Kubernetes takes for a pod, container or volume; `x` for what has no usable character."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return plain[:limit].strip("-") or "x"
