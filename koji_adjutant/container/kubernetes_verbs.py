"""What the daemon asks of the API server: every verb it uses, and what for. The shipped Role grants these and no other.

`packaging/kubernetes` is compared with this list by a golden test, and `koji-adjutant check` asks the cluster for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from koji_adjutant.config.kubernetes import KubernetesSection


class Requests(Protocol):
    """Requests to the API server. A refusal is a `ContainerError` with reason `not-found`, `conflict` or `forbidden`."""

    def request(self, method: str, path: str, *, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Make one request; return the object that is answered. Raises RuntimeUnavailable where there is no answer."""


@dataclass(frozen=True)
class Permission:
    """Verbs on one resource. `resource` may name a part of it (`pods/exec`), as in a Role."""

    group: str
    """Empty: the core group."""
    resource: str
    verbs: tuple[str, ...]
    lack: str
    """What does not work without it."""

    @property
    def shown(self) -> str:
        """The resource as kubectl names it."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


@dataclass(frozen=True)
class Wanted:
    """A permission in one namespace; empty: in the whole cluster."""

    namespace: str
    permission: Permission


TASKS = (
    Permission("", "pods", ("create", "delete", "get", "list", "patch", "watch"), "no task can run"),
    # Servers differ in what an exec over a websocket is: 1.20 asks for `get`, newer ones for `create` too.
    Permission("", "pods/exec", ("create", "get"), "no command can be run in a task's pod"),
    Permission("", "pods/log", ("get",), "what a pod's first process printed is not seen"),
    Permission("", "events", ("list",), "why a pod does not start is not known"),
    Permission("", "resourcequotas", ("list",), "a full quota is only noticed when a pod is refused"),
)
"""In every namespace of task pods."""
VOLUMES = (
    Permission("", "persistentvolumeclaims", ("create", "delete", "get"), "tasks get no volume of the storage class"),
)
"""There too, where each task gets a volume of its own."""
REPLICAS = (
    Permission("coordination.k8s.io", "leases", ("create", "get", "update"), "no replica can claim a host name"),
)
"""In the daemon's own namespace, with `hosts`."""
CLUSTER = (Permission("", "nodes", ("list",), "whether any node can take a pod is not known beforehand"),)
"""In the whole cluster; optional."""


def wanted(settings: KubernetesSection, own_namespace: str, *, replicas: bool) -> Iterator[Wanted]:
    """What a daemon of these settings needs. `replicas`: it claims its host name."""
    for namespace in settings.all_namespaces(own_namespace):
        for permission in (*TASKS, *(VOLUMES if settings.task_volume else ())):
            yield Wanted(namespace, permission)
    if replicas:
        yield from (Wanted(own_namespace, permission) for permission in REPLICAS)


def rules(permissions: Sequence[Permission]) -> list[dict[str, list[str]]]:
    """The permissions as rules of a Role."""
    return [
        {"apiGroups": [entry.group], "resources": [entry.resource], "verbs": list(entry.verbs)} for entry in permissions
    ]
