"""Section `kubernetes`: the cluster that runs task pods, and what these look like."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, field_validator, model_validator

from koji_adjutant.config.kubernetes_rules import NAMESPACE, NamespaceRule, ResourceClass, Share, Toleration
from koji_adjutant.config.kubernetes_storage import StorageSection
from koji_adjutant.config.quantities import Duration
from koji_adjutant.config.section import AbsolutePath, OffAsText, Section

AFFINITIES = ("nodeAffinity", "podAffinity", "podAntiAffinity")


def parse_selector(value: object) -> object:
    """Turn `disktype=ssd,zone=a` (the form of the environment variable) into a mapping; a mapping stays."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    if any(not name.strip() or not equals for name, equals, _ in pairs):
        message = f"{value!r} is no node selector: write label=value,label=value"
        raise ValueError(message)
    return {name.strip(): content.strip() for name, _, content in pairs}


def parse_object(value: object) -> object:
    """Turn YAML text (the form of the environment variable) into what it says; what is no text stays."""
    if not isinstance(value, str):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        message = f"is no YAML: {error}"
        raise ValueError(message) from error


Object = Annotated[Mapping[str, Any], BeforeValidator(parse_object)]
"""A part of a Kubernetes object, as it stands in a manifest."""


class KubernetesSection(Section):
    """The cluster that runs task pods. Used with `runtime: kubernetes`."""

    namespace: str | None = Field(
        None,
        pattern=NAMESPACE,
        description="Namespace of the task pods. Default: the daemon's own namespace in a cluster, else that of "
        "the kubeconfig.",
    )
    namespaces: tuple[NamespaceRule, ...] = Field(
        (),
        description="Namespaces by tag, arch and method, first match wins: a list of `{tag: GLOB, arch: GLOB, method: GLOB, "
        "namespace: N}`. What no rule matches goes to `namespace`.",
    )
    config: AbsolutePath | None = Field(
        None, description="Path of a kubeconfig. Default: the pod's service account, else ~/.kube/config."
    )
    request_timeout: Duration = Field(
        30, description="Seconds one request to the API server may take before it counts as unavailable."
    )
    start_timeout: Duration = Field(
        900,
        description="Seconds a pod may take to run: scheduling, pulls and start together. Default 900. Waiting for a quota is "
        "not counted.",
    )
    active_deadline: Duration = Field(
        3 * 86400,
        description="Seconds after which the cluster ends a pod whatever the daemon does (default 3d): more than the longest "
        "build takes and a failed root is kept.",
    )
    service_account: str | None = Field(
        None,
        description="Service account of task pods; its token is never mounted. Default: the namespace's `default`.",
    )
    runner_image: str | None = Field(
        None,
        min_length=1,
        description="Image that holds the static adjutant-runner and busybox, which each pod is given. Needed; the daemon's "
        "own image has them.",
    )
    runner_directory: AbsolutePath = Field(
        Path("/usr/lib/koji-adjutant/static"), description="Directory of these programs in that image."
    )
    empty_image: str = Field(
        "registry.k8s.io/pause:3.9",
        min_length=1,
        description="Image of the container `task`, whose root becomes the build's: it must hold nothing that a build could "
        "take for a part of its root. A cluster's own pause image is on every node already.",
    )
    node_selector: Annotated[Mapping[str, str], BeforeValidator(parse_selector)] = Field(
        default_factory=dict,
        description="Labels a node must carry to run task pods, as a mapping (`label=value,label=value` in the variable).",
    )
    affinity: Object | None = Field(
        None, description="Affinity of task pods as in a manifest: nodeAffinity, podAffinity, podAntiAffinity."
    )
    tolerations: tuple[Toleration, ...] = Field(
        (), description="Taints of nodes that task pods put up with: a list of `{key: K, value: V, effect: E}`."
    )
    runtime_class: str | None = Field(
        None, min_length=1, description="RuntimeClass of task pods (gVisor, Kata). Default: the cluster's."
    )
    priority_class: str | None = Field(
        None, min_length=1, description="PriorityClass of task pods. Default: the cluster's."
    )
    image_pull_secrets: tuple[str, ...] = Field(
        (), description="Names of Secrets with registry credentials, in every namespace of task pods."
    )
    resource_classes: tuple[ResourceClass, ...] = Field(
        (), description="Requests and limits by tag, arch, method and role, first match wins; see below."
    )
    request_share: Share = Field(
        0.5,
        description="Share of a container's limits that is reserved on the node for it. Default half; 1 gives what is "
        "promised, less packs more builds on a node.",
    )
    userns: Annotated[Literal["auto", "required", "off"], OffAsText] = Field(
        "auto",
        description="User namespace for each pod: `auto` where cluster and volumes can have one (Kubernetes 1.30 or newer), "
        "`required` runs nothing without, `off`.",
    )
    seccomp_profile: str | None = Field(
        None,
        min_length=1,
        description="Seccomp profile of the container `task`, relative to the kubelet's directory of profiles (`Localhost`). "
        "Default: the container runtime's own (`RuntimeDefault`).",
    )
    offline: Literal["auto", "namespace", "policy"] = Field(
        "auto",
        description="How rpmbuild loses the network: `namespace` gives the step a network namespace of its own, which needs "
        "user namespaces or a `seccomp_profile` that allows it; `policy` labels the pod for a NetworkPolicy; `auto` takes "
        "the first that works.",
    )
    offline_required: bool = Field(
        default=False,
        description="End a build whose rpmbuild could still reach a network. Off: it goes on, and its log says so.",
    )
    storage_class: str | None = Field(
        None,
        description="Storage class of volumes made for tasks, one for each. Default: emptyDir on the node's disk, which needs "
        "none; with `kubernetes.storage.mode: dynamic` the cluster's default class.",
    )
    storage: StorageSection = Field(
        default_factory=StorageSection, description="How pods reach topdir. None of it is needed with `mode: upload`."
    )
    pod_template: Object | None = Field(
        None,
        description="Part of a Pod (`metadata`, `spec`) that is merged onto each generated one, as `kubectl patch --type "
        "strategic` does, for what has no setting here.",
    )

    @field_validator("affinity")
    @classmethod
    def _is_affinity(cls, value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return _only(value, AFFINITIES)

    @field_validator("pod_template")
    @classmethod
    def _is_template(cls, value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        return _only(value, ("metadata", "spec"))

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [entry.name for entry in self.resource_classes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"resource_classes names {', '.join(twice)} more than once; each name once"
            raise ValueError(message)
        return self

    @property
    def task_volume(self) -> bool:
        """Whether each task gets a volume of a storage class for what it writes."""
        return self.storage.mode == "dynamic" or self.storage_class is not None

    def namespace_for(self, default: str, *, tag: str, arch: str, method: str) -> str:
        """Return the namespace of the first rule that matches, else `namespace`, else `default`."""
        for rule in self.namespaces:
            if rule.matches(tag=tag, arch=arch, method=method):
                return rule.namespace
        return self.namespace or default

    def all_namespaces(self, default: str) -> tuple[str, ...]:
        """Every namespace a task may run in, sorted: one watch each."""
        return tuple(sorted({self.namespace or default, *(rule.namespace for rule in self.namespaces)}))

    def resource_class(self, *, tag: str, arch: str, method: str, role: str) -> ResourceClass | None:
        """Return the first class that matches a container of a task."""
        for entry in self.resource_classes:
            if entry.matches_role(role) and entry.matches(tag=tag, arch=arch, method=method):
                return entry
        return None


def _only(value: Mapping[str, Any] | None, known: tuple[str, ...]) -> Mapping[str, Any] | None:
    unknown = sorted(set(value or {}) - set(known))
    if unknown:
        message = f"has no place for {', '.join(unknown)}; known here: {', '.join(known)}"
        raise ValueError(message)
    return value
