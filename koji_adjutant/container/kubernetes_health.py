"""Whether a cluster can be worked with, as an operator needs to hear it."""

from __future__ import annotations

from collections.abc import Callable

from koji_adjutant.container.interface import RuntimeHealth
from koji_adjutant.container.kubernetes_api import KubernetesApi, pods_path
from koji_adjutant.container.kubernetes_labels import RUNTIME
from koji_adjutant.container.kubernetes_plan import PodSite
from koji_adjutant.container.kubernetes_refusal import ApiRefusal

TIMEOUT = 10.0


def check_health(api: KubernetesApi, site: Callable[[], PodSite]) -> RuntimeHealth:
    """See `ContainerManager.health_check`."""
    version = api.request("GET", "/version", timeout=TIMEOUT)
    asked = site()
    problems = [
        problem
        for namespace in asked.settings.all_namespaces(asked.namespace)
        if (problem := _namespace_problem(api, namespace)) is not None
    ]
    if not asked.runner_image:
        problems.append("kubernetes.runner_image is not set: pods get their static programs from that image.")
    return RuntimeHealth(RUNTIME, str(version.get("gitVersion") or ""), False, capabilities(asked), problems)


def capabilities(site: PodSite) -> frozenset[str]:
    """What pods can be, of the optional parts of the contract."""
    found = {"companion"}
    if site.server.user_namespaces:
        found.add("userns")
    own_network = site.server.user_namespaces or site.settings.seccomp_profile is not None
    if site.settings.offline == "policy" or own_network:
        found.add("isolate")
    return frozenset(found)


def _namespace_problem(api: KubernetesApi, namespace: str) -> str | None:
    try:
        api.request("GET", pods_path(namespace), query=[("limit", "1")], timeout=TIMEOUT)
    except ApiRefusal as error:
        return f"pods of namespace {namespace} cannot be listed: {error.message}. {error.resolution}".strip()
    return None
