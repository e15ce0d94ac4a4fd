"""What the mounts of a pod's specs become: where each source is found by a pod, decided without looking at any disk."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from koji_adjutant.container.interface import ContainerSpec, MountKind, VolumeMount
from koji_adjutant.container.kubernetes_labels import dns_label
from koji_adjutant.container.kubernetes_plan import PodPlan, PodSite
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import CapabilityMissing, ContainerError

NO_TOPDIR = ("upload", "dynamic")
"""Modes of storage in which a pod cannot mount topdir."""


@dataclass(frozen=True)
class PlannedMount:
    """A mount of one container of a pod."""

    container: str
    mount: VolumeMount

    @property
    def source(self) -> str:
        """The source without `.` and doubled slashes."""
        return posixpath.normpath(self.mount.source)


@dataclass(frozen=True)
class SortedMounts:
    """The mounts of a plan by what they become."""

    static: tuple[PlannedMount, ...]
    topdir: tuple[PlannedMount, ...]
    own: tuple[PlannedMount, ...]
    """Directories of the daemon: volumes of the pod, filled from them."""
    memory: tuple[PlannedMount, ...]


def sort_mounts(plan: PodPlan, site: PodSite) -> SortedMounts:
    """Sort the mounts of all containers.

    Raises:
        ContainerError: `plan`: a path no pod can have, or two mounts on one.
        CapabilityMissing: a mount that no pod can be given; names path and remedy.
    """
    found: dict[str, list[PlannedMount]] = {"static": [], "topdir": [], "own": [], "memory": []}
    for planned in plan.containers:
        targets = [BIN_DIR]
        for mount in wanted_mounts(planned.spec, plan.first):
            if mount.target != BIN_DIR:
                _check_target(planned.spec.name, mount.target, targets)
                targets.append(mount.target)
                found[_kind(planned.spec.name, mount, site)].append(PlannedMount(planned.name, mount))
    return SortedMounts(**{kind: tuple(mounts) for kind, mounts in found.items()})


def wanted_mounts(spec: ContainerSpec, first: ContainerSpec) -> Iterator[VolumeMount]:
    """The mounts of a container that a pod must have for it.

    A companion reaches the root of `task` through `/proc`, with all that is mounted there: its own mounts below that root
    stand there already, devices and proc too.
    """
    for mount in spec.mounts:
        if spec is first or not is_below(mount.target, spec.companion_root):
            yield mount
        elif not _stands_in(first, mount, spec.companion_root):
            raise CapabilityMissing(
                f"{spec.name} wants {mount.source or mount.kind} at {mount.target}, which {first.name} has not",
                details="In a pod, a companion sees the root of the first container exactly as that one does.",
                resolution="Mount it in the first container too, or outside of the root.",
            )


def is_below(path: str, top: str) -> bool:
    """Whether `path` is `top` or in it."""
    return posixpath.normpath(path) == top or posixpath.normpath(path).startswith(top.rstrip("/") + "/")


def topdir_of(source: str, site: PodSite) -> str | None:
    """The topdir that holds `source`."""
    return next((top for top in site.topdirs if is_below(source, top)), None)


def volume_roots(mounts: tuple[PlannedMount, ...]) -> dict[str, str]:
    """The volume each source belongs to, by its source: one that lies in another one's directory is part of that."""
    sources = {planned.source for planned in mounts}
    return {source: min((top for top in sources if is_below(source, top)), key=len) for source in sorted(sources)}


def volume_name(source: str) -> str:
    """Name of the volume for a directory of the daemon: its last part, and a digest of the whole."""
    digest = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{dns_label(posixpath.basename(source), 50)}-{digest}"


def _kind(container: str, mount: VolumeMount, site: PodSite) -> str:
    if mount.kind is MountKind.TMPFS:
        return "memory"
    if mount.kind is not MountKind.BIND:
        raise CapabilityMissing(f"{container} wants {mount.kind} at {mount.target}, which no pod can mount")
    source = posixpath.normpath(mount.source)
    if source == site.static_dir:
        return "static"
    if topdir_of(source, site) is not None:
        _check_topdir(container, mount, site)
        return "topdir"
    if any(is_below(known, source) for known in (site.state_dir, site.static_dir, *site.topdirs)):
        raise CapabilityMissing(
            f"{container} wants {source}, of which no pod can be given a copy",
            details="It holds the state of the daemon or topdir.",
        )
    if not mount.read_only and not is_below(source, site.state_dir):
        raise CapabilityMissing(
            f"{container} wants to write to {source}, which no pod can reach",
            details=f"A pod gets volumes of its own for directories below {site.state_dir}, and copies of what it only reads.",
        )
    return "own"


def _check_topdir(container: str, mount: VolumeMount, site: PodSite) -> None:
    mode = site.settings.storage.mode
    if mode in NO_TOPDIR:
        raise CapabilityMissing(
            f"{container} wants {mount.source}, and pods have no storage of topdir: kubernetes.storage.mode is {mode}",
            resolution="Set kubernetes.storage.mode to hostPath, nfs, claim or local for tasks that read topdir.",
        )
    if not mount.read_only:
        raise CapabilityMissing(f"{container} wants to write to {mount.source}: pods only read topdir")


def _check_target(container: str, target: str, taken: list[str]) -> None:
    if ":" in target or not target.startswith("/"):
        raise ContainerError(f"{container}: a pod cannot mount at {target!r}: no colon, absolute", reason="plan")
    if target in taken:
        raise ContainerError(f"{container}: two mounts at {target}", reason="plan")


def _stands_in(first: ContainerSpec, wanted: VolumeMount, root: str) -> bool:
    if wanted.kind in (MountKind.PROC, MountKind.DEVICES):
        return True
    path = "/" + posixpath.relpath(wanted.target, root)
    return any(
        mount.kind is wanted.kind and mount.target == path and mount.source == wanted.source for mount in first.mounts
    )
