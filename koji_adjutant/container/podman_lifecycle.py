"""Containers of one Podman service: start, state, wait, list, remove (their creation: `podman_create`).

Order of removal: companions first, since they keep the other's root mounted; then the container, again until the
inspection says it is gone (Podman answers "busy" while mounts of it are being torn down).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import requests
import structlog

from koji_adjutant.container.interface import (
    LABEL_MANAGED,
    ContainerHandle,
    ContainerInfo,
    ContainerState,
    ContainerStatus,
)
from koji_adjutant.container.podman_client import PodmanApi, PodmanRefusal, PodmanSilent
from koji_adjutant.container.podman_oom import KILLED_CODE, kernel_killed
from koji_adjutant.container.podman_payload import (
    LABEL_COMPANION,
)
from koji_adjutant.container.podman_processes import kill_monitors
from koji_adjutant.container.podman_state import id_maps, info_of, state_of
from koji_adjutant.errors import (
    ContainerError,
    ContainerLost,
    ContainerNotFound,
    ContainerTimeout,
    RuntimeUnavailable,
)

REMOVE_TIMEOUT = 60.0
LIST_ATTEMPTS = 5
CREATE_ATTEMPTS = 10
_MISSING = ContainerState(ContainerStatus.MISSING, reason="deleted")

_GOING = ("no such container", "container not known", "layer not known")
INSPECT_ATTEMPTS = 5
_DYING = "no such process"
"""Podman 4 looks into /proc for what it takes for running: of a container that ends just then, it cannot say anything."""
_DYING_PAUSE = 0.1
"""Seconds after which it knows the end."""

log = structlog.get_logger(__name__)


class PodmanLifecycle:
    """Life and death of containers of one service. Thread-safe."""

    def __init__(self, api: PodmanApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._starting = threading.Lock()

    def start(self, handle: ContainerHandle, timeout: float) -> None:
        """See `ContainerManager.start`."""
        with self._starting:
            # Podman would start an ended one again: look first.
            state = self.state(handle)
            if state.status is ContainerStatus.RUNNING:
                return
            if state.status is ContainerStatus.MISSING:
                raise not_found(handle)
            if state.status is ContainerStatus.EXITED:
                raise ContainerLost(
                    f"{handle.name} has ended already with {state.exit_code}", details=state.reason, reason="exited"
                )
            try:
                self._api.request("POST", f"/containers/{handle.id}/start", timeout=timeout)
            except PodmanRefusal as error:
                raise _start_error(handle, error) from error
            except PodmanSilent as error:
                raise ContainerTimeout(f"{handle.name} did not start within {timeout:g} s", retryable=True) from error
        log.info("container.started", container=handle.name)

    def inspect(self, handle: ContainerHandle, attempts: int = INSPECT_ATTEMPTS) -> dict[str, Any] | None:
        """Podman's inspection, None if the container is missing."""
        try:
            found: dict[str, Any] = self._api.get(f"/containers/{handle.id}/json")
        except PodmanRefusal as error:
            # While a container is removed, Podman may find its record and then miss parts of it.
            if error.status == requests.codes.not_found or any(word in error.message for word in _GOING):
                return None
            if _DYING not in error.message or attempts <= 1:
                raise
            time.sleep(_DYING_PAUSE)
            return self.inspect(handle, attempts - 1)
        return found

    def state(self, handle: ContainerHandle) -> ContainerState:
        """See `ContainerManager.state`."""
        found = self.inspect(handle)
        if found is None:
            return _MISSING
        state = state_of(found)
        if state.exit_code == KILLED_CODE and not state.oom_killed and kernel_killed(found["Id"]):
            return replace(state, oom_killed=True, reason="OOMKilled")
        return state

    def wait(self, handle: ContainerHandle, timeout: float) -> ContainerState:
        """See `ContainerManager.wait`."""
        deadline = self._clock() + timeout
        pause = 0.02
        while True:
            state = self.state(handle)
            if state.status in {ContainerStatus.EXITED, ContainerStatus.MISSING}:
                return state
            if self._clock() >= deadline:
                raise ContainerTimeout(f"{handle.name} did not end within {timeout:g} s")
            time.sleep(min(pause, max(0.0, deadline - self._clock())))
            pause = min(pause * 1.5, 0.5)

    def list_managed(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        """See `ContainerManager.list_managed`."""
        wanted = {LABEL_MANAGED: "true", **labels}
        filters = {"label": [f"{name}={value}" for name, value in wanted.items()]}
        return [info_of(entry) for entry in self.entries(filters)]

    def entries(self, filters: Mapping[str, Sequence[str]]) -> Sequence[Mapping[str, Any]]:
        """Podman's list of all containers that pass `filters`."""
        for _ in range(LIST_ATTEMPTS):
            try:
                entries: Sequence[Mapping[str, Any]] = self._api.get(
                    "/containers/json", all=True, filters=dict(filters)
                )
            except PodmanRefusal as error:
                # The list is not atomic: a container removed while it is made fails the whole of it.
                if not any(word in error.message for word in _GOING):
                    raise
            else:
                return entries
        raise RuntimeUnavailable(f"Podman at {self._api.socket_path} gives no list of its containers")

    def remove(self, handle: ContainerHandle) -> None:
        """See `ContainerManager.remove`."""
        found = self.inspect(handle)
        container_id = found["Id"] if found is not None else handle.id
        companions = [companion.handle for companion in self.list_managed({LABEL_COMPANION: container_id})]
        if found is None and not companions and not self._exists(handle):
            kill_monitors(container_id)
            return
        for each in (*companions, handle):
            # All at once: they die beside each other, and are then taken away one by one.
            self._kill(each)
        for companion in companions:
            self.remove_one(companion)
        self.remove_one(handle)
        kill_monitors(container_id)
        log.info("container.removed", container=handle.name)

    def _kill(self, handle: ContainerHandle) -> None:
        """Kill what runs in a container; one that does not run, or is gone, is as good."""
        # Removal decides; it kills as well.
        with contextlib.suppress(ContainerError, PodmanRefusal):
            self._api.request("POST", f"/containers/{handle.id}/kill", params={"signal": "KILL"})

    def base_ids(self, handle: ContainerHandle) -> tuple[int, int]:
        """Host uid and gid of the container's root."""
        found = self.inspect(handle)
        if found is None:
            raise not_found(handle)
        return _host_ids(found)

    def _exists(self, handle: ContainerHandle) -> bool:
        try:
            self._api.request("GET", f"/containers/{handle.id}/exists")
        except PodmanRefusal as error:
            if error.status == requests.codes.not_found:
                return False
            raise
        return True

    def remove_one(self, handle: ContainerHandle) -> None:
        """Remove a container that has no companions; returns when it is gone."""
        deadline = self._clock() + REMOVE_TIMEOUT
        pause = 0.05
        params = {"force": True, "timeout": 0, "volumes": True}
        while True:
            message = ""
            try:
                self._api.request("DELETE", f"/containers/{handle.id}", params=params)
            except PodmanRefusal as error:
                message = error.message
            if not self._exists(handle):
                return
            if self._clock() > deadline:
                raise ContainerTimeout(
                    f"{handle.name} is still there {REMOVE_TIMEOUT:g} s after its removal was asked for",
                    details=message,
                    resolution=f"See `podman inspect {handle.id[:12]}` and what keeps it busy.",
                    retryable=True,
                )
            time.sleep(pause)
            pause = min(2 * pause, 1.0)


def not_found(handle: ContainerHandle) -> ContainerNotFound:
    """The error for a container that is not there."""
    return ContainerNotFound(f"there is no container {handle.name} ({handle.id[:12]})")


def _host_ids(inspection: Mapping[str, Any]) -> tuple[int, int]:
    # Of a running one the kernel knows: with a rootless service Podman's own maps are relative to its namespace.
    pid = inspection["State"].get("Pid") or 0
    if pid:
        try:
            return _first_id(f"/proc/{pid}/uid_map"), _first_id(f"/proc/{pid}/gid_map")
        except (OSError, IndexError):
            pass
    uids, gids = id_maps(inspection)
    return (uids[0].host_id if uids else 0), (gids[0].host_id if gids else 0)


def _first_id(path: str) -> int:
    with open(path) as stream:
        return int(stream.readline().split()[1])


def _start_error(handle: ContainerHandle, error: PodmanRefusal) -> ContainerError:
    if error.status == requests.codes.not_found:
        return not_found(handle)
    reason = "disk-full" if "no space left" in error.message else "start"
    return ContainerError(f"{handle.name} cannot be started", details=error.message, reason=reason)
