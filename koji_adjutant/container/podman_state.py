"""What Podman's answers about containers mean: pure functions from its JSON to the contract's dataclasses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from koji_adjutant.container.interface import (
    LABEL_ARCH,
    LABEL_EPOCH,
    LABEL_METHOD,
    LABEL_ROLE,
    LABEL_START_TS,
    LABEL_TAG,
    LABEL_TASK,
    LABEL_WORKER,
    ContainerHandle,
    ContainerInfo,
    ContainerState,
    ContainerStatus,
)
from koji_adjutant.container.podman_payload import CompanionBase, IdRange
from koji_adjutant.errors import CapabilityMissing

RUNTIME = "podman"
OUR_LABELS = "io.koji.adjutant."
OWNER_LABELS = frozenset({LABEL_TASK, LABEL_WORKER, LABEL_ROLE, LABEL_START_TS, LABEL_EPOCH})
DESCRIPTIVE = frozenset({LABEL_TAG, LABEL_METHOD, LABEL_ARCH})
"""Labels that containers of earlier versions lack; they tell no two containers apart."""
_STATUS = {
    "created": ContainerStatus.CREATED,
    "configured": ContainerStatus.CREATED,
    "initialized": ContainerStatus.CREATED,
    "running": ContainerStatus.RUNNING,
    "paused": ContainerStatus.RUNNING,
    "stopping": ContainerStatus.RUNNING,
}
"""Podman's words; every other one (`exited`, `stopped`, `removing`, `unknown`) is an end."""


def state_of(inspection: Mapping[str, Any]) -> ContainerState:
    """The state in an inspection."""
    found = inspection["State"]
    status = status_of(found["Status"])
    exited = status is ContainerStatus.EXITED
    oom_killed = bool(found.get("OOMKilled"))
    reason = "OOMKilled" if oom_killed else str(found.get("Error") or found["Status"])
    return ContainerState(status, int(found["ExitCode"]) if exited else None, oom_killed, reason)


def status_of(word: str) -> ContainerStatus:
    """Podman's word for a status as ours."""
    return _STATUS.get(word.lower(), ContainerStatus.EXITED)


def info_of(entry: Mapping[str, Any]) -> ContainerInfo:
    """An entry of the list of containers."""
    handle = ContainerHandle(entry["Id"], entry["Names"][0], RUNTIME)
    return ContainerInfo(
        handle, without_empty(entry.get("Labels")), status_of(entry["State"]), _timestamp(entry["Created"])
    )


def without_empty(labels: Mapping[str, str] | None) -> dict[str, str]:
    """Labels without those of ours that a commit had to empty, since it cannot leave them out."""
    return {name: value for name, value in (labels or {}).items() if value or not name.startswith(OUR_LABELS)}


def same_owner(wanted: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Whether a container with labels `found` is the one that `wanted` asks for.

    The image's own labels do not count; those of a prepared image are of ours too, but say nothing of an owner.
    """
    if any(found.get(name) != value for name, value in wanted.items() if name in found or name not in DESCRIPTIVE):
        return False
    return all(name in wanted for name in without_empty(found) if name in OWNER_LABELS)


def base_of(inspection: Mapping[str, Any]) -> CompanionBase:
    """A running container as the base of a companion."""
    uid_map, gid_map = id_maps(inspection)
    return CompanionBase(inspection["Id"], root_of(inspection), uid_map, gid_map)


def root_of(inspection: Mapping[str, Any]) -> str:
    """Where the root of a running container is mounted, as the service sees it.

    Raises:
        CapabilityMissing: the storage driver does not say.
    """
    driver = inspection["GraphDriver"]
    root = (driver.get("Data") or {}).get("MergedDir")
    if not root:
        raise CapabilityMissing(
            f"Podman's storage driver {driver.get('Name')!r} does not tell where a container's root is mounted",
            resolution='Set `driver = "overlay"` in storage.conf (/etc/containers, or ~/.config/containers) and reset.',
        )
    return str(root)


def id_maps(inspection: Mapping[str, Any]) -> tuple[Sequence[IdRange], Sequence[IdRange]]:
    """Uid and gid map as the service sees them; empty without a user namespace of its own."""
    mappings = inspection["HostConfig"].get("IDMappings") or {}
    return (
        tuple(map(IdRange.parse, mappings.get("UidMap") or ())),
        tuple(map(IdRange.parse, mappings.get("GidMap") or ())),
    )


def _timestamp(value: str | float) -> float:
    if isinstance(value, int | float):
        return float(value)
    return datetime.fromisoformat(value).timestamp()
