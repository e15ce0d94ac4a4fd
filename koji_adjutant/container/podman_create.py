"""Containers of one Podman service are made here: user namespace, companion, minimal /dev, owners of mounts.

What fails half-way leaves nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from koji_adjutant.container.interface import ContainerHandle, ContainerSpec, ContainerStatus, VolumeMount
from koji_adjutant.container.podman_client import PodmanApi, PodmanRefusal, PodmanSilent
from koji_adjutant.container.podman_copy import PodmanCopy
from koji_adjutant.container.podman_id_ranges import IdRanges, explicit, pool_of
from koji_adjutant.container.podman_lifecycle import PodmanLifecycle, not_found
from koji_adjutant.container.podman_payload import (
    DEVICE_LINKS,
    CompanionBase,
    IdRange,
    PayloadSettings,
    create_payload,
    device_targets,
)
from koji_adjutant.container.podman_state import RUNTIME, base_of, id_maps, same_owner, state_of
from koji_adjutant.errors import ContainerError, ContainerLost, ImageError

CREATE_ATTEMPTS = 10

log = structlog.get_logger(__name__)


class PodmanCreate:
    """Makes containers. Thread-safe."""

    def __init__(
        self, api: PodmanApi, copy: PodmanCopy, life: PodmanLifecycle, settings: Callable[[], PayloadSettings]
    ) -> None:
        self._api = api
        self._copy = copy
        self._life = life
        self._settings = settings
        self._lock = threading.Lock()
        self._ranges: IdRanges | None = None

    def create(self, spec: ContainerSpec) -> ContainerHandle:
        """See `ContainerManager.create`."""
        base = self._base(spec.companion_of) if spec.companion_of is not None else None
        payload = create_payload(spec, self._settings(), base)
        try:
            created = self._create(payload)
        except PodmanRefusal as error:
            return self._existing(spec, payload["labels"], error)
        except PodmanSilent:
            # It may or may not have been made, and nobody would know its id.
            self._life.remove(ContainerHandle(spec.name, spec.name, RUNTIME))
            raise
        handle = ContainerHandle(created, spec.name, RUNTIME)
        try:
            self._prepare(handle, spec)
        except BaseException:
            self._life.remove(handle)
            raise
        log.info("container.created", container=spec.name, id=created[:12], image=spec.image)
        return handle

    def _create(self, payload: dict[str, Any]) -> str:
        ranges = self._ranges_of_service()
        if payload.get("userns", {}).get("nsmode") != "auto" or not ranges.pool:
            return self._post_create(payload)
        size = payload["idmappings"]["AutoUserNsOpts"]["Size"]
        with ranges.lock:
            for _ in range(CREATE_ATTEMPTS):
                base = ranges.choose(size)
                if base is None:
                    break
                created = self._post_create(payload | explicit(base, size))
                if not ranges.overlaps(created, base, size):
                    return created
                self._life.remove_one(ContainerHandle(created, payload["name"], RUNTIME))
        raise ContainerError(
            f"{payload['name']} cannot be created: no {size} free subordinate ids in a row",
            resolution="Give the user `containers` (or the service's user) more ids in /etc/subuid and /etc/subgid.",
            reason="create",
            retryable=True,
        )

    def _post_create(self, payload: Mapping[str, Any]) -> str:
        return str(self._api.request("POST", "/containers/create", body=payload).json()["Id"])

    def _ranges_of_service(self) -> IdRanges:
        with self._lock:
            if self._ranges is None:
                self._ranges = IdRanges(pool_of(self._api.get("/info")), self._all_ids, self._ids_of)
            return self._ranges

    def _all_ids(self) -> list[str]:
        return [entry["Id"] for entry in self._life.entries({})]

    def _ids_of(self, container_id: str) -> Sequence[IdRange]:
        found = self._life.inspect(ContainerHandle(container_id, container_id, RUNTIME))
        return id_maps(found)[0] if found is not None else ()

    def _base(self, handle: ContainerHandle) -> CompanionBase:
        found = self._life.inspect(handle)
        if found is None:
            raise not_found(handle)
        state = state_of(found)
        if state.status is not ContainerStatus.RUNNING:
            raise ContainerLost(f"{handle.name} does not run: a companion cannot join it", reason="exited")
        return base_of(found)

    def _existing(self, spec: ContainerSpec, labels: Mapping[str, str], error: PodmanRefusal) -> ContainerHandle:
        if "already in use" not in error.message:
            raise _create_error(spec, error) from error
        found = self._life.inspect(ContainerHandle(spec.name, spec.name, RUNTIME))
        if found is None:
            raise ContainerError(f"{spec.name} cannot be created", details=error.message, retryable=True) from error
        if not same_owner(labels, found["Config"].get("Labels") or {}):
            raise ContainerError(
                f"there is another container of the name {spec.name}",
                details=f"its id is {found['Id'][:12]}, its labels are {found['Config'].get('Labels')}",
                resolution=f"Remove it (`podman rm -f {spec.name}`) if nothing needs it.",
                reason="conflict",
            ) from error
        handle = ContainerHandle(found["Id"], spec.name, RUNTIME)
        if state_of(found).status is ContainerStatus.CREATED:
            # Whoever made it may have died before this.
            self._prepare(handle, spec)
        return handle

    def _prepare(self, handle: ContainerHandle, spec: ContainerSpec) -> None:
        for target in device_targets(spec):
            self._copy.put_links(handle, target, DEVICE_LINKS)
        ours = [mount for mount in spec.mounts if mount.owned_by_container]
        if ours and not self._settings().chown_sources:
            self._give(ours, self._life.base_ids(handle))

    @staticmethod
    def _give(mounts: Sequence[VolumeMount], ids: tuple[int, int]) -> None:
        for mount in mounts:
            os.chown(mount.source, *ids, follow_symlinks=False)


def _create_error(spec: ContainerSpec, error: PodmanRefusal) -> ContainerError:
    message = error.message
    if "image not known" in message or "no such image" in message:
        return ImageError(
            f"image {spec.image} is not in Podman's store",
            details=message,
            resolution="Pull it first.",
            reason="missing",
        )
    resolution = ""
    if "not enough unused IDs" in message or "subuid" in message or "subordinate" in message:
        resolution = "Give the user `containers` (or the service's user) more ids in /etc/subuid and /etc/subgid."
    elif "container-init binary" in message:
        resolution = "Install catatonit, which Debian's podman only recommends, or set init_path in containers.conf."
    reason = "disk-full" if "no space left" in message else "create"
    return ContainerError(f"{spec.name} cannot be created", details=message, resolution=resolution, reason=reason)
