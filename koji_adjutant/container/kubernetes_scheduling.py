"""Where a task's pod runs and what it reserves there: pure functions from plan to fields of the pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from koji_adjutant.config.kubernetes_rules import ResourceClass, Toleration
from koji_adjutant.container.interface import LABEL_ARCH, LABEL_ROLE
from koji_adjutant.container.kubernetes_plan import PlannedContainer, PodPlan, PodSite, task_facts
from koji_adjutant.errors import ContainerError

ARCHES: Mapping[str, str] = {
    **dict.fromkeys(("x86_64", "i386", "i486", "i586", "i686"), "amd64"),
    **dict.fromkeys(("armhfp", "armv5tel", "armv6hl", "armv7hl"), "arm"),
    "aarch64": "arm64",
    "loongarch64": "loong64",
    "ppc64": "ppc64",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
"""`kubernetes.io/arch` of the nodes that run Koji's arches. 32-bit x86 runs on 64-bit nodes, as on Koji's builders."""
STORAGE_EXPRESSION = {"key": "koji.storage", "operator": "In", "values": ["available"]}
"""Nodes that have topdir at the configured path."""
STATIC_RESOURCES = {
    "limits": {"cpu": "1", "memory": "67108864"},
    "requests": {"cpu": "10m", "memory": "16777216"},
}
"""Of the init container: a namespace with a quota wants them said for every container."""


def scheduling(plan: PodPlan, site: PodSite, *, needs_storage: bool) -> dict[str, Any]:
    """The fields of the pod's spec that place it. `needs_storage`: only nodes that have topdir will do."""
    settings = site.settings
    found: dict[str, Any] = {"nodeSelector": node_selector(plan, site)}
    affinity = dict(settings.affinity or {})
    if needs_storage:
        affinity = with_node_expression(affinity, STORAGE_EXPRESSION)
    optional = {
        "affinity": affinity,
        "tolerations": [_toleration(entry) for entry in settings.tolerations],
        "runtimeClassName": settings.runtime_class,
        "priorityClassName": settings.priority_class,
        "serviceAccountName": settings.service_account,
        "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
    }
    return found | {key: value for key, value in optional.items() if value}


def node_selector(plan: PodPlan, site: PodSite) -> dict[str, str]:
    """Labels of the node: Linux, the task's arch, the configured ones.

    Raises:
        ContainerError: `plan`: the configuration asks for another arch than the task.
    """
    wanted = {"kubernetes.io/os": "linux", **site.settings.node_selector}
    arch = ARCHES.get(plan.first.labels.get(LABEL_ARCH, ""))
    if arch is None:
        return wanted
    if wanted.get("kubernetes.io/arch", arch) != arch:
        raise ContainerError(
            f"pod {plan.name} is of arch {arch}, and kubernetes.node_selector wants {wanted['kubernetes.io/arch']}",
            resolution="Take kubernetes.io/arch out of kubernetes.node_selector, or the arch from this Koji host.",
            reason="plan",
        )
    return wanted | {"kubernetes.io/arch": arch}


def with_node_expression(affinity: Mapping[str, Any], expression: Mapping[str, Any]) -> dict[str, Any]:
    """`affinity`, and the node must also match `expression`. Neither is changed."""
    node = dict(affinity.get("nodeAffinity") or {})
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    # A node must match one of the terms, and all of what stands in that.
    terms = (node.get(key) or {}).get("nodeSelectorTerms") or [{}]
    node[key] = {
        "nodeSelectorTerms": [
            {**term, "matchExpressions": [*(term.get("matchExpressions") or []), dict(expression)]} for term in terms
        ]
    }
    return {**affinity, "nodeAffinity": node}


def resources(planned: PlannedContainer, site: PodSite) -> dict[str, Any]:
    """Requests and limits of one container: its class, else its spec; requests are a share of limits unless given."""
    spec, labels = planned.spec.limits, planned.spec.labels
    chosen = site.settings.resource_class(**task_facts(labels), role=labels.get(LABEL_ROLE, planned.name))
    chosen = chosen or ResourceClass(name="none")
    share = chosen.request_share or site.settings.request_share
    cpus, memory = chosen.cpus or spec.cpus, chosen.memory or spec.memory_bytes
    weight = None if spec.cpu_shares is None else spec.cpu_shares / 1024
    reserved = {
        "cpu": _at_most(chosen.cpu_request or weight, cpus, share),
        "memory": _at_most(chosen.memory_request, memory, share),
        "ephemeral-storage": _at_most(None, chosen.ephemeral_storage, share),
    }
    limits = {"cpu": cpus, "memory": memory, "ephemeral-storage": chosen.ephemeral_storage}
    found = {"limits": _quantities(limits), "requests": _quantities(reserved)}
    return {key: value for key, value in found.items() if value}


def _at_most(request: float | None, limit: float | None, share: float) -> float | None:
    """Kubernetes refuses a request above its limit."""
    if limit is None:
        return request
    return min(limit * share if request is None else request, limit)


def _quantities(values: Mapping[str, float | None]) -> dict[str, str]:
    return {
        name: f"{max(1, round(value * 1000))}m" if name == "cpu" else str(int(value))
        for name, value in values.items()
        if value is not None
    }


def _toleration(entry: Toleration) -> dict[str, Any]:
    values = {
        "key": entry.key,
        "operator": entry.operator,
        "value": entry.value,
        "effect": entry.effect,
        "tolerationSeconds": entry.seconds,
    }
    return {key: value for key, value in values.items() if value is not None}
