"""What the pod of a task is made of: the facts of daemon and cluster, and the containers that are planned together.

A pod's containers are fixed when it is made. So a spec announces its companions (`ContainerSpec.companions`), `create`
remembers it, and `start` makes the pod with all of them; a companion that is created later is found in it by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from koji_adjutant.config.images import PullSection
from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.container.interface import (
    LABEL_ARCH,
    LABEL_METHOD,
    LABEL_ROLE,
    LABEL_TAG,
    ContainerHandle,
    ContainerSpec,
    Network,
)
from koji_adjutant.container.kubernetes_labels import PodRef, dns_label, name_token, pod_name
from koji_adjutant.errors import CapabilityMissing, ContainerError

TASK = "task"
"""Name of the first container of every pod."""


@dataclass(frozen=True)
class ServerFacts:
    """What the cluster can do, asked of it once; nothing of it is guessed from here."""

    user_namespaces: bool = False
    """A pod with `hostUsers: false` really gets one: the API server knows the field and the node's runtime obeys."""
    image_volumes: bool = False
    """Volumes of kind `image`, with `subPath`."""
    ephemeral_volumes: bool = False
    """Volumes of kind `ephemeral` (a claim that lives as long as the pod)."""


@dataclass(frozen=True)
class PodSite:
    """Everything about a pod that its specs do not say. Paths are those of the daemon's machine."""

    settings: KubernetesSection
    state_dir: str
    static_dir: str
    runner_image: str
    """`kubernetes.runner_image`, or the daemon's own image."""
    namespace: str = "default"
    """The daemon's own, for tasks that no rule and no setting places."""
    topdirs: tuple[str, ...] = ()
    """kojid.conf's topdir, as it stands there and with links resolved."""
    pull: PullSection = field(default_factory=PullSection)
    server: ServerFacts = ServerFacts()


@dataclass(frozen=True)
class PlannedContainer:
    """A container of a pod: its name there, and its spec."""

    name: str
    spec: ContainerSpec


@dataclass(frozen=True)
class PodPlan:
    """A pod to be made. The first of `containers` is `task`, the others its companions."""

    namespace: str
    name: str
    containers: tuple[PlannedContainer, ...]

    @property
    def first(self) -> ContainerSpec:
        """Spec of the container `task`."""
        return self.containers[0].spec

    @property
    def network(self) -> Network:
        """The containers of a pod share one network: there is one if any of them asks for it."""
        private = any(planned.spec.network is Network.PRIVATE for planned in self.containers)
        return Network.PRIVATE if private else Network.NONE

    def handle(self, name: str) -> ContainerHandle:
        """The handle of the container whose spec is called `name`.

        Raises:
            ContainerError: `not-announced`.
        """
        for planned in self.containers:
            if planned.spec.name == name:
                return PodRef(self.namespace, self.name, planned.name).handle(name)
        raise ContainerError(f"{name} is not part of pod {self.name}", reason="not-announced")


def task_facts(labels: Mapping[str, str]) -> dict[str, str]:
    """Tag, arch and method of a task, for the rules of the configuration; empty where a spec has no such label."""
    keys = {"tag": LABEL_TAG, "arch": LABEL_ARCH, "method": LABEL_METHOD}
    return {name: labels.get(key, "") for name, key in keys.items()}


def plan_pod(spec: ContainerSpec, site: PodSite, token: str | None = None) -> PodPlan:
    """Plan the pod of `spec` and its announced companions. `token` ends its name; default: made from the spec's name.

    Raises:
        ContainerError: `plan`: a companion of its own, companions of companions, or two of one name.
        CapabilityMissing: a privileged container.
    """
    if spec.companion_of is not None or any(entry.companions for entry in spec.companions):
        raise ContainerError(f"{spec.name}: only a container that is no companion can have some", reason="plan")
    specs = (spec, *spec.companions)
    if any(entry.privileged for entry in specs):
        raise CapabilityMissing(
            f"{spec.name} asks for a privileged container, which no pod of this builder is",
            resolution="Set privileged_images to off here, and keep a builder with Podman in the image channels.",
            reason="privileged",
        )
    names = [entry.name for entry in specs]
    if len(set(names)) < len(names):
        raise ContainerError(f"{spec.name}: two containers of its pod have one name: {', '.join(names)}", reason="plan")
    return PodPlan(
        site.settings.namespace_for(site.namespace, **task_facts(spec.labels)),
        pod_name(spec.name, spec.labels, token or name_token(spec.name)),
        tuple(PlannedContainer(name, entry) for name, entry in zip(_names(specs), specs, strict=True)),
    )


def _names(specs: tuple[ContainerSpec, ...]) -> list[str]:
    """`task`, then each companion's role; numbered where that is taken or missing."""
    names = [TASK]
    for number, spec in enumerate(specs[1:], 1):
        name = dns_label(spec.labels.get(LABEL_ROLE) or f"companion-{number}")
        names.append(f"{name[:50]}-{number}" if name in {*names, "static"} else name)
    return names
