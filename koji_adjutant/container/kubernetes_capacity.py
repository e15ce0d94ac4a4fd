"""Whether the cluster has room for one more pod: quotas of the namespaces, nodes that may be used. Never the load of a pod.

A quota that is full only makes a pod wait; to take no task meanwhile leaves it to a host that has room.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kubernetes.utils import parse_quantity

from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.container.kubernetes_verbs import Requests
from koji_adjutant.errors import ContainerError

ASK_SECONDS = 60.0
"""For which an answer counts."""
PODS = frozenset(
    {
        "pods",
        "count/pods",
        *(f"{kind}{name}" for kind in ("", "requests.", "limits.") for name in ("cpu", "memory", "ephemeral-storage")),
    }
)
"""Resources of a quota that every pod of a task takes some of."""


class ClusterCapacity:
    """Asks the API server, at most once in `ASK_SECONDS`. Used by one thread."""

    def __init__(
        self,
        api: Requests,
        settings: KubernetesSection,
        own_namespace: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._settings = settings
        self._namespaces = settings.all_namespaces(own_namespace)
        self._clock = clock
        self._asked_at: float | None = None
        self._problem = ""

    def problem(self) -> str:
        """Say why no further pod can run; empty: one can, or it is not known.

        Raises:
            RuntimeUnavailable: the API server does not answer.
        """
        now = self._clock()
        if self._asked_at is None or now - self._asked_at >= ASK_SECONDS:
            self._problem = self._ask()
            self._asked_at = now
        return self._problem

    def _ask(self) -> str:
        quotas = {
            namespace: self._list(f"/api/v1/namespaces/{namespace}/resourcequotas") for namespace in self._namespaces
        }
        # With several namespaces tasks may still go to another: only a whole cluster without room is a reason.
        full = [full_quota(namespace, items or ()) for namespace, items in quotas.items()]
        if full and all(full):
            return full[0]
        nodes = self._list("/api/v1/nodes")
        return "" if nodes is None else no_node(nodes, self._settings.node_selector)

    def _list(self, path: str) -> Sequence[Mapping[str, Any]] | None:
        """Return the items of a list; None where this account may not see it."""
        try:
            items: Sequence[Mapping[str, Any]] = self._api.request("GET", path)["items"]
        except ContainerError as error:
            if error.reason != "forbidden":
                raise
            return None
        return items


def full_quota(namespace: str, quotas: Iterable[Mapping[str, Any]]) -> str:
    """Say which quota of the namespace is full; empty: none. Those that are for some pods only do not count."""
    for quota in quotas:
        spec, status = quota.get("spec") or {}, quota.get("status") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for resource in sorted(PODS & set(hard)):
            if parse_quantity(used.get(resource, "0")) >= parse_quantity(hard[resource]):
                shown = f"{resource} {used.get(resource, '0')} of {hard[resource]}"
                return f"Quota {quota['metadata']['name']} of namespace {namespace} is full: {shown}"
    return ""


def no_node(nodes: Iterable[Mapping[str, Any]], selector: Mapping[str, str]) -> str:
    """Say why none of the nodes can take a pod; empty: one can."""
    counts = {"cordoned": 0, "not ready": 0, "without the labels of kubernetes.node_selector": 0}
    for node in nodes:
        labels = node["metadata"].get("labels") or {}
        if not selector.items() <= labels.items():
            counts["without the labels of kubernetes.node_selector"] += 1
        elif (node.get("spec") or {}).get("unschedulable"):
            counts["cordoned"] += 1
        elif not _is_ready(node):
            counts["not ready"] += 1
        else:
            return ""
    why = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"No node can take a pod: {why or 'the cluster has none'}"


def _is_ready(node: Mapping[str, Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
