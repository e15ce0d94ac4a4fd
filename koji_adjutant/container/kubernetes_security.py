"""Security of a task's pod: a pure function from plan to contexts.

Root in a container of the pod fills and owns build roots, so it has the capabilities that takes, and no other. `tools` reads
`/proc/PID/root` of `task`, which the kernel allows to who has at least the capabilities of `task`: all containers of a pod
have the same.
"""

from __future__ import annotations

from typing import Any

from koji_adjutant.container.kubernetes_plan import TASK, PlannedContainer, PodPlan, PodSite
from koji_adjutant.container.kubernetes_sources import sort_mounts
from koji_adjutant.errors import CapabilityMissing, ContainerError

CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETFCAP",
    "SETGID",
    "SETUID",
    "SYS_CHROOT",
)
"""What installing packages and running a build as another user takes."""
SELINUX_TYPE = "container_t"


def own_user_namespace(plan: PodPlan, site: PodSite) -> bool:
    """Whether the pod gets a user namespace.

    Raises:
        CapabilityMissing: it must have one and cannot; names what is in the way.
    """
    if site.settings.userns == "off" or not all(planned.spec.userns for planned in plan.containers):
        return False
    obstacle = _obstacle(plan, site)
    if obstacle is not None and site.settings.userns == "required":
        raise CapabilityMissing(
            f"pod {plan.name} must have a user namespace, and {obstacle}",
            resolution="Set kubernetes.userns to auto, or take the obstacle away.",
        )
    return obstacle is None


def _obstacle(plan: PodPlan, site: PodSite) -> str | None:
    if not site.server.user_namespaces:
        return "this cluster gives none"
    # The kubelet maps the ids of every volume, and the pod does not start where a file system cannot.
    if sort_mounts(plan, site).topdir and not site.settings.storage.mapped_ids:
        return "topdir cannot be mounted with mapped ids (kubernetes.storage.mapped_ids)"
    return None


def pod_security(plan: PodPlan, site: PodSite) -> dict[str, Any]:
    """The fields of the pod's spec that bound it."""
    context: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    level = selinux_level(plan)
    if level is not None:
        context["seLinuxOptions"] = {"type": SELINUX_TYPE, "level": level}
    found: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": context,
    }
    if own_user_namespace(plan, site):
        found["hostUsers"] = False
    # The pod's pause program then is PID 1, which reaps; companions need it to reach the root of `task`.
    if len(plan.containers) > 1 or plan.first.init:
        found["shareProcessNamespace"] = True
    return found


def container_security(plan: PodPlan, site: PodSite, planned: PlannedContainer) -> dict[str, Any]:
    """`securityContext` of one container."""
    is_task = planned.name == TASK
    context: dict[str, Any] = {
        # A build has setuid programs and file capabilities, as under mock. What works from outside has none.
        "allowPrivilegeEscalation": is_task,
        "capabilities": {"add": capabilities(plan, site), "drop": ["ALL"]},
        "privileged": False,
        "runAsGroup": 0,
        "runAsUser": 0,
    }
    profile = site.settings.seccomp_profile
    if is_task and profile is not None:
        context["seccompProfile"] = {"type": "Localhost", "localhostProfile": profile}
    return context


def static_security() -> dict[str, Any]:
    """`securityContext` of the init container that copies the static programs."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "runAsGroup": 0,
        "runAsUser": 0,
    }


def capabilities(plan: PodPlan, site: PodSite) -> list[str]:
    """What every container of the pod may do, sorted."""
    wanted = {*CAPABILITIES, *(name for planned in plan.containers for name in planned.spec.capabilities)}
    if own_user_namespace(plan, site) and site.settings.offline != "policy":
        # Over its own namespaces only: a step takes a network namespace of its own with it. Never spelt CAP_SYS_ADMIN, which
        # the API refuses beside `allowPrivilegeEscalation: false`.
        wanted.add("SYS_ADMIN")
    return sorted(wanted)


def selinux_level(plan: PodPlan) -> str | None:
    """The one level of the pod, which its containers share; None leaves it to the node.

    Raises:
        ContainerError: `plan`: the mounts name more than one.
    """
    levels = {m.selinux_label for planned in plan.containers for m in planned.spec.mounts if m.selinux_label}
    if len(levels) > 1:
        raise ContainerError(
            f"pod {plan.name}: mounts of two SELinux levels: {', '.join(sorted(levels))}", reason="plan"
        )
    return levels.pop() if levels else None
