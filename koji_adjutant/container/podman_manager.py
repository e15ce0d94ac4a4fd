"""`PodmanManager`: containers of a Podman service of this machine, root's or a user's, over its REST interface."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from koji_adjutant.container.interface import (
    ContainerHandle,
    ContainerInfo,
    ContainerRunResult,
    ContainerSpec,
    ContainerState,
    ContainerStatus,
    CopiedFile,
    ImageInfo,
    PullPolicy,
    RuntimeHealth,
    Write,
)
from koji_adjutant.container.output_cap import Collector
from koji_adjutant.container.podman_client import PodmanApi
from koji_adjutant.container.podman_copy import PodmanCopy
from koji_adjutant.container.podman_create import PodmanCreate
from koji_adjutant.container.podman_exec import Command, Output, PodmanExec
from koji_adjutant.container.podman_health import bridge_usable, health
from koji_adjutant.container.podman_images import PodmanImages
from koji_adjutant.container.podman_layers import sync_image
from koji_adjutant.container.podman_lifecycle import PodmanLifecycle, not_found
from koji_adjutant.container.podman_logs import stream_logs
from koji_adjutant.container.podman_payload import PayloadSettings
from koji_adjutant.container.podman_service import service_limits
from koji_adjutant.container.podman_state import root_of
from koji_adjutant.errors import CapabilityMissing, ContainerLost, OutOfMemory

HEALTH_TIMEOUT = 30.0


class PodmanManager:
    """`ContainerManager`, `SupportsCommit`, `SupportsSync` and `SupportsHostPaths` of one Podman service.

    `socket` is a path or a `unix://` URL. `userns_size` ids for each user namespace; `seccomp_profile` is a path on this
    machine, used where a spec names none.
    """

    def __init__(
        self,
        socket: str,
        *,
        userns: bool = True,
        userns_size: int = 65536,
        request_timeout: float = 60.0,
        seccomp_profile: str | None = None,
    ) -> None:
        self._api = PodmanApi(socket, request_timeout)
        self._userns = userns
        self._userns_size = userns_size
        self._seccomp_profile = seccomp_profile
        self._settings: PayloadSettings | None = None
        self._lock = threading.Lock()
        self._copy = PodmanCopy(self._api, request_timeout)
        self._images = PodmanImages(self._api)
        self._lifecycle = PodmanLifecycle(self._api)
        self._create = PodmanCreate(self._api, self._copy, self._lifecycle, self._payload_settings)
        self._exec = PodmanExec(self._api, self._running)

    def ensure_image_available(self, image: str, policy: PullPolicy = PullPolicy.MISSING) -> ImageInfo:
        return self._images.ensure(image, policy)

    def create(self, spec: ContainerSpec) -> ContainerHandle:
        return self._create.create(spec)

    def start(self, handle: ContainerHandle, timeout: float = 60.0) -> None:
        self._lifecycle.start(handle, timeout)

    def exec(
        self,
        handle: ContainerHandle,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        workdir: str = "/",
        user: str = "0:0",
        stdout: Write | None = None,
        stderr: Write | None = None,
        timeout: float = 60.0,
    ) -> ContainerRunResult:
        return self._exec.run(handle, Command(argv, stdin, env or {}, workdir, user, timeout), Output(stdout, stderr))

    def copy_to(self, handle: ContainerHandle, source: Path | bytes, target: str, *, mode: int = 0o644) -> None:
        self._copy.put(handle, source, target, mode)

    def copy_from(self, handle: ContainerHandle, source: str, target: BinaryIO, *, max_bytes: int) -> int:
        return self._copy.get(handle, source, target, max_bytes)

    def list_files(self, handle: ContainerHandle, directory: str, *, max_entries: int = 100_000) -> list[CopiedFile]:
        return self._copy.list_files(handle, directory, max_entries)

    def stream_logs(self, handle: ContainerHandle, write: Write, *, max_bytes: int = 1 << 30) -> None:
        stream_logs(self._api, handle, write, write, max_bytes)

    def wait(self, handle: ContainerHandle, timeout: float) -> ContainerState:
        return self._lifecycle.wait(handle, timeout)

    def state(self, handle: ContainerHandle) -> ContainerState:
        return self._lifecycle.state(handle)

    def remove(self, handle: ContainerHandle) -> None:
        self._lifecycle.remove(handle)

    def run(self, spec: ContainerSpec, timeout: float) -> ContainerRunResult:
        handle = self.create(spec)
        try:
            self.start(handle, timeout)
            state = self.wait(handle, timeout)
            if state.status is ContainerStatus.MISSING or state.exit_code is None:
                raise ContainerLost(f"{spec.name} disappeared while it ran", reason="deleted")
            if state.oom_killed:
                limit = spec.limits.memory_bytes
                raise OutOfMemory(f"{spec.name} ran out of memory", details=f"its limit is {limit} bytes")
            output = Collector(None, None)
            stream_logs(self._api, handle, output.take_stdout, output.take_stderr, 1 << 30)
            return output.result(state.exit_code)
        finally:
            self.remove(handle)

    def list_managed(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        return self._lifecycle.list_managed(labels)

    def health_check(self) -> RuntimeHealth:
        self._api.ping(HEALTH_TIMEOUT)
        info = self._api.get("/info", timeout=HEALTH_TIMEOUT)
        return health(info, userns=self._userns, userns_size=self._userns_size, bridge=bridge_usable(info))

    def close(self) -> None:
        self._api.close()

    def commit(self, handle: ContainerHandle, reference: str, labels: Mapping[str, str]) -> ImageInfo:
        return self._images.commit(handle, reference, labels)

    def make_image(self, reference: str, files: Mapping[str, bytes], labels: Mapping[str, str]) -> ImageInfo:
        return self._images.make(reference, files, labels)

    def list_images(self, labels: Mapping[str, str]) -> list[ImageInfo]:
        return self._images.list_images(labels)

    def remove_image(self, reference: str) -> bool:
        return self._images.remove(reference)

    def sync_image(self, reference: str, pause: Callable[[float], None]) -> bool:
        return sync_image(self._api, reference, pause)

    def root_path(self, handle: ContainerHandle) -> Path:
        found = self._lifecycle.inspect(handle)
        if found is None:
            raise not_found(handle)
        if found["State"]["Status"] != "running":
            raise ContainerLost(f"{handle.name} does not run: its root is not mounted", reason="exited")
        root = Path(root_of(found))
        if not os.access(root, os.R_OK | os.X_OK):
            raise CapabilityMissing(f"{root} of {handle.name} cannot be seen by this process (rootless Podman?)")
        return root

    def storage_path(self) -> Path | None:
        """Where images and containers lie, if this process sees it."""
        path = Path(self._api.get("/info", timeout=HEALTH_TIMEOUT)["store"]["graphRoot"])
        return path if path.is_dir() else None

    def host_ids(self, handle: ContainerHandle) -> tuple[int, int]:
        return self._lifecycle.base_ids(handle)

    def _running(self, handle: ContainerHandle) -> bool:
        state = self._lifecycle.state(handle)
        if state.status is ContainerStatus.MISSING:
            raise not_found(handle)
        return state.status is ContainerStatus.RUNNING

    def _payload_settings(self) -> PayloadSettings:
        with self._lock:
            if self._settings is None:
                self._settings = self._ask_settings()
            return self._settings

    def _ask_settings(self) -> PayloadSettings:
        info = self._api.get("/info")
        rootless = bool(info["host"]["security"]["rootless"])
        state = health(info, userns=self._userns, userns_size=self._userns_size, bridge=True)
        limits = service_limits(self._api.socket_path)
        return PayloadSettings(
            userns="userns" in state.capabilities,
            userns_size=self._userns_size,
            seccomp_profile=self._seccomp_profile,
            private_network="bridge" if bridge_usable(info) else "slirp4netns",
            nofile_ceiling=limits.nofile,
            nproc=limits.nproc,
            chown_sources=rootless or os.geteuid() != 0,
        )
