"""Volumes of a task's pod and where its containers mount them: a pure function.

Directories of the daemon become volumes of the pod's own (the same source in two containers is the same volume), which the
manager fills from them once the pod runs (`Fill`). Repositories come read-only by the configured storage.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from koji_adjutant.container.kubernetes_plan import PodPlan, PodSite
from koji_adjutant.container.kubernetes_sources import (
    PlannedMount,
    SortedMounts,
    sort_mounts,
    topdir_of,
    volume_name,
    volume_roots,
)
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import ConfigurationError

RPMDB_DIRS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
"""Where rpm keeps its database. SQLite finds `/proc/PID/root` by readlink to be `/`, so that a database of the root would
land in `tools`' own directory: both containers have one volume there, at both places, as the usual link makes them one."""
STATIC, TOPDIR, WORK, RPMDB = "static", "topdir", "work", "rpmdb"
ANY_MODE = 0o777
"""Mode of a fresh emptyDir."""


@dataclass(frozen=True)
class Fill:
    """What the manager does once the pod runs, before anybody uses the mount: give it its mode and its content.

    `source` is a path of the daemon's machine, whose mode and content it gets; None for memory, which gets `mode`.
    """

    container: str
    target: str
    source: str | None
    mode: int | None = None


@dataclass(frozen=True)
class PodVolumes:
    """All of it. `claims` are PersistentVolumeClaims that must exist before the pod."""

    volumes: Sequence[Mapping[str, Any]]
    mounts: Mapping[str, Sequence[Mapping[str, Any]]]
    """By container."""
    claims: Sequence[Mapping[str, Any]]
    fills: Sequence[Fill]
    needs_storage: bool
    """The node must be one that has topdir."""


def pod_volumes(plan: PodPlan, site: PodSite, labels: Mapping[str, str]) -> PodVolumes:
    """Volumes and mounts of a plan. `labels` are those of the pod, for its claims.

    Raises:
        ContainerError, CapabilityMissing: see `sort_mounts`.
        ConfigurationError: no image holds the static programs.
    """
    found = sort_mounts(plan, site)
    placed = [*_static_mounts(plan, site, found), *_topdir_mounts(site, found), *_own_mounts(site, found)]
    placed += [(planned.container, _mount(_memory_name(planned), planned.mount.target)) for planned in found.memory]
    volumes = [static_volume(site), *_topdir_volumes(site, found), *_own_volumes(plan, site, found)]
    volumes += [_memory_volume(planned) for planned in found.memory]
    if len(plan.containers) > 1:
        volumes.append({"name": RPMDB, "emptyDir": {}})
        placed += _rpmdb_mounts(plan, placed)
    return PodVolumes(
        volumes=volumes,
        mounts={c.name: sorted((m for n, m in placed if n == c.name), key=_target) for c in plan.containers},
        claims=_claims(plan, site, found, labels),
        fills=tuple(_fills(found)),
        needs_storage=bool(found.topdir) and site.settings.storage.mode == "hostPath",
    )


def static_volume(site: PodSite) -> dict[str, Any]:
    """The volume of the static programs, which every container has at `BIN_DIR`."""
    if not site.runner_image:
        raise ConfigurationError(
            "no image is known that holds the static programs of a pod",
            resolution="Set kubernetes.runner_image to the image of this daemon.",
        )
    if not site.server.image_volumes:
        return {"name": STATIC, "emptyDir": {}}
    return {
        "name": STATIC,
        "image": {"reference": site.runner_image, "pullPolicy": pull_policy(site, site.runner_image)},
    }


def pull_policy(site: PodSite, image: str) -> str:
    """`imagePullPolicy`, always said: Kubernetes' default depends on the tag."""
    policies = {"missing": "IfNotPresent", "always": "Always", "never": "Never"}
    return policies[site.pull.policy_for(image)]


def _static_mounts(plan: PodPlan, site: PodSite, found: SortedMounts) -> Iterator[tuple[str, dict[str, Any]]]:
    inside = str(site.settings.runner_directory).strip("/") if site.server.image_volumes else ""
    for container in plan.containers:
        yield container.name, _mount(STATIC, BIN_DIR, inside, read_only=True)
    for planned in found.static:
        yield planned.container, _mount(STATIC, planned.mount.target, inside, read_only=True)


def _topdir_mounts(site: PodSite, found: SortedMounts) -> Iterator[tuple[str, dict[str, Any]]]:
    for planned in found.topdir:
        inside = posixpath.relpath(planned.source, topdir_of(planned.source, site))
        parts = [part for part in (site.settings.storage.sub_path, inside) if part not in (None, ".")]
        yield planned.container, _mount(TOPDIR, planned.mount.target, "/".join(map(str, parts)), read_only=True)


def _topdir_volumes(site: PodSite, found: SortedMounts) -> list[dict[str, Any]]:
    storage = site.settings.storage
    if not found.topdir:
        return []
    kinds: dict[str, dict[str, Any]] = {
        "hostPath": {"hostPath": {"path": str(storage.path or site.topdirs[0]), "type": "Directory"}},
        "nfs": {"nfs": {"server": storage.server, "path": str(storage.path), "readOnly": True}},
        "claim": {"persistentVolumeClaim": {"claimName": storage.claim, "readOnly": True}},
    }
    return [{"name": TOPDIR, **kinds["claim" if storage.mode == "local" else storage.mode]}]


def _own_mounts(site: PodSite, found: SortedMounts) -> Iterator[tuple[str, dict[str, Any]]]:
    roots = volume_roots(found.own)
    filled = {(fill.container, fill.target) for fill in _fills(found)}
    for planned in found.own:
        root = roots[planned.source]
        parts = [volume_name(root)] if site.settings.task_volume else []
        parts += [posixpath.relpath(planned.source, root)] if planned.source != root else []
        name = WORK if site.settings.task_volume else volume_name(root)
        target = planned.mount.target
        # What is filled through a mount must be writable there; it is a copy, and the pod's own.
        read_only = planned.mount.read_only and (planned.container, target) not in filled
        yield planned.container, _mount(name, target, "/".join(parts), read_only=read_only)


def _own_volumes(plan: PodPlan, site: PodSite, found: SortedMounts) -> list[dict[str, Any]]:
    if site.settings.task_volume:
        return [_work_volume(plan, site)] if found.own else []
    roots = volume_roots(found.own)
    return [
        {"name": volume_name(root), "emptyDir": _size_limit(p.mount.size_bytes for p in found.own if p.source == root)}
        for root in sorted(set(roots.values()))
    ]


def _work_volume(plan: PodPlan, site: PodSite) -> dict[str, Any]:
    if not site.server.ephemeral_volumes:
        return {"name": WORK, "persistentVolumeClaim": {"claimName": plan.name}}
    return {"name": WORK, "ephemeral": {"volumeClaimTemplate": {"spec": _claim_spec(site)}}}


def _claims(plan: PodPlan, site: PodSite, found: SortedMounts, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    if not (found.own and site.settings.task_volume) or site.server.ephemeral_volumes:
        return []
    metadata = {"name": plan.name, "namespace": plan.namespace, "labels": dict(labels)}
    return [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": _claim_spec(site)}]


def _claim_spec(site: PodSite) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": str(site.settings.storage.size)}},
    }
    if site.settings.storage_class is not None:
        spec["storageClassName"] = site.settings.storage_class
    return spec


def _fills(found: SortedMounts) -> Iterator[Fill]:
    roots = volume_roots(found.own)
    for root in sorted(set(roots.values())):
        places = [planned for planned in found.own if planned.source == root]
        # Through a mount that is writable anyway, where there is one.
        place = min(places, key=lambda planned: planned.mount.read_only)
        yield Fill(place.container, place.mount.target, root)
    for planned in found.memory:
        if planned.mount.mode != ANY_MODE:
            yield Fill(planned.container, planned.mount.target, None, planned.mount.mode)


def _rpmdb_mounts(plan: PodPlan, placed: Sequence[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    taken = {(container, mount["mountPath"]) for container, mount in placed}
    return [
        (container.name, _mount(RPMDB, path))
        for container in plan.containers
        for path in RPMDB_DIRS
        if (container.name, path) not in taken
    ]


def _memory_name(planned: PlannedMount) -> str:
    return volume_name(f"/{planned.container}{planned.mount.target}")


def _memory_volume(planned: PlannedMount) -> dict[str, Any]:
    return {
        "name": _memory_name(planned),
        "emptyDir": {"medium": "Memory", **_size_limit([planned.mount.size_bytes])},
    }


def _size_limit(sizes: Sequence[int | None] | Iterator[int | None]) -> dict[str, str]:
    known = [size for size in sizes if size is not None]
    return {"sizeLimit": str(max(known))} if known else {}


def _mount(name: str, target: str, inside: str = "", *, read_only: bool = False) -> dict[str, Any]:
    mount: dict[str, Any] = {"name": name, "mountPath": target}
    if inside:
        mount["subPath"] = inside
    if read_only:
        mount["readOnly"] = True
    return mount


def _target(mount: Mapping[str, Any]) -> str:
    return str(mount["mountPath"])
