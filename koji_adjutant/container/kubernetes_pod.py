"""From the plan of a pod to its manifest: a pure function, golden-tested.

What a pod cannot be given, and who makes up for it: a limit of processes and open files (the kubelet's `podPidsLimit`; the
runner of each step), `noexec` mounts, a seccomp profile by path (`kubernetes.seccomp_profile` names one of the node's).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from koji_adjutant.container.interface import LABEL_MANAGED, ContainerSpec
from koji_adjutant.container.kubernetes_labels import (
    ANNOTATION_CONTAINERS,
    LABEL_NAME,
    LABEL_NETWORK,
    PodRef,
    decode_labels,
    dns_label,
    encode_labels,
)
from koji_adjutant.container.kubernetes_plan import PlannedContainer, PodPlan, PodSite
from koji_adjutant.container.kubernetes_scheduling import STATIC_RESOURCES, resources, scheduling
from koji_adjutant.container.kubernetes_security import container_security, pod_security, static_security
from koji_adjutant.container.kubernetes_template import apply_template
from koji_adjutant.container.kubernetes_volumes import STATIC, Fill, pod_volumes, pull_policy
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import CapabilityMissing, ContainerError

SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
GRACE_SECONDS = 5


@dataclass(frozen=True)
class PodManifest:
    """What `start` makes: claims first, then the pod; and what it does to the running pod before anybody else uses it."""

    pod: Mapping[str, Any]
    claims: Sequence[Mapping[str, Any]] = ()
    fills: Sequence[Fill] = ()


@dataclass(frozen=True)
class PodContainer:
    """A container of ours in a pod, as the pod itself says."""

    ref: PodRef
    name: str
    """Of its spec."""
    image: str
    labels: Mapping[str, str]
    root: str | None = None
    """Of a companion: where it sees the root of `task`."""


def pod_manifest(plan: PodPlan, site: PodSite) -> PodManifest:
    """The pod of a plan, with the configured template merged onto it.

    Raises:
        ContainerError, CapabilityMissing: what no pod can be; names container, value and remedy.
        ConfigurationError: a setting that is missing, or a template that changes what it may not.
    """
    metadata = pod_metadata(plan)
    volumes = pod_volumes(plan, site, metadata["labels"])
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        # Nothing in it needs time to end: who evicts it learns soon that it is gone, and so do we.
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "activeDeadlineSeconds": site.settings.active_deadline,
        "containers": [_container(plan, site, planned, volumes.mounts[planned.name]) for planned in plan.containers],
        "volumes": list(volumes.volumes),
        **pod_security(plan, site),
        **scheduling(plan, site, needs_storage=volumes.needs_storage),
    }
    if not site.server.image_volumes:
        spec["initContainers"] = [_static_container(site)]
    if plan.first.hostname:
        spec["hostname"] = dns_label(plan.first.hostname)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    return PodManifest(apply_template(pod, site.settings.pod_template or {}), volumes.claims, volumes.fills)


def pod_metadata(plan: PodPlan) -> dict[str, Any]:
    """Name, labels and annotations. The pod has the labels of `task`; those of each container stand in an annotation."""
    own = {LABEL_NETWORK: str(plan.network), LABEL_NAME: plan.first.name, LABEL_MANAGED: "true"}
    encoded = encode_labels({**plan.first.labels, **own})
    containers = {planned.name: _described(planned.spec, plan.first) for planned in plan.containers}
    annotations = {
        **encoded.annotations,
        ANNOTATION_CONTAINERS: json.dumps(containers, sort_keys=True, separators=(",", ":")),
        SAFE_TO_EVICT: "false",
    }
    return {
        "name": plan.name,
        "namespace": plan.namespace,
        "labels": dict(encoded.labels),
        "annotations": annotations,
    }


def containers_of(pod: Mapping[str, Any]) -> list[PodContainer]:
    """Our containers of a pod, read from its manifest or from what the API server says of it; none of a foreign pod."""
    metadata = pod["metadata"]
    annotations = metadata.get("annotations") or {}
    labels = decode_labels(metadata.get("labels") or {}, annotations)
    labels = {key: value for key, value in labels.items() if key not in (LABEL_NAME, LABEL_NETWORK)}
    return [
        PodContainer(
            PodRef(metadata["namespace"], metadata["name"], container),
            said["name"],
            said["image"],
            {key: value for key, value in {**labels, **said["labels"]}.items() if value is not None},
            said.get("root"),
        )
        for container, said in json.loads(annotations.get(ANNOTATION_CONTAINERS, "{}")).items()
    ]


def announced(pod: Mapping[str, Any], spec: ContainerSpec) -> PodContainer:
    """The container of a pod that was planned for a companion `spec`, which `create` is asked for now.

    Raises:
        CapabilityMissing: it was not announced when the pod was made.
        ContainerError: `conflict`: one of that name was, with other labels or another image.
    """
    found = next((entry for entry in containers_of(pod) if entry.name == spec.name), None)
    if found is None:
        raise CapabilityMissing(
            f"pod {pod['metadata']['name']} has no container for {spec.name}",
            details="The containers of a pod are fixed when it is made: only announced companions can join it.",
        )
    differing = sorted(key for key, value in spec.labels.items() if found.labels.get(key) != value)
    if differing or found.image != spec.image:
        raise ContainerError(
            f"{spec.name} was announced differently to pod {pod['metadata']['name']}",
            details=f"image {found.image}, now {spec.image}; differing labels: {', '.join(differing) or 'none'}",
            reason="conflict",
        )
    return found


def literal(text: str) -> str:
    """`text` as Kubernetes must be given it in `command`, `args` and `env`, where it makes `$(NAME)` a value and `$$` a `$`."""
    return text.replace("$", "$$")


def _described(spec: ContainerSpec, first: ContainerSpec) -> dict[str, Any]:
    """What the pod does not say of a container; of the labels, those that are not the first one's (null: lacking)."""
    keys = sorted({*spec.labels, *first.labels})
    differing = {key: spec.labels.get(key) for key in keys if spec.labels.get(key) != first.labels.get(key)}
    root = {} if spec is first else {"root": spec.companion_root}
    return {"name": spec.name, "image": spec.image, "labels": differing, **root}


def _container(
    plan: PodPlan, site: PodSite, planned: PlannedContainer, mounts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    spec = planned.spec
    container: dict[str, Any] = {
        "name": planned.name,
        "image": spec.image,
        "imagePullPolicy": pull_policy(site, spec.image),
        "env": [{"name": name, "value": literal(value)} for name, value in spec.env.items()],
        "resources": resources(planned, site),
        "securityContext": container_security(plan, site, planned),
        "volumeMounts": list(mounts),
        "workingDir": spec.workdir,
    }
    if spec.command:
        container["command"] = [literal(word) for word in spec.command]
    return container


def _static_container(site: PodSite) -> dict[str, Any]:
    """Copies the static programs: an image of a build holds none, and must hold none."""
    directory = str(site.settings.runner_directory)
    return {
        "name": STATIC,
        "image": site.runner_image,
        "imagePullPolicy": pull_policy(site, site.runner_image),
        "command": [f"{directory}/busybox", "cp", "-a", f"{directory}/.", f"{BIN_DIR}/"],
        "resources": STATIC_RESOURCES,
        "securityContext": static_security(),
        "volumeMounts": [{"name": STATIC, "mountPath": BIN_DIR}],
    }
