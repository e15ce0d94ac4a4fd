"""What a test of the suite gets: a manager of some runtime, and containers that are gone when the test is over."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from koji_adjutant.container.interface import LABEL_WORKER, ContainerHandle, ContainerSpec, VolumeMount
from tests.conformance.images import FOREIGN, IMAGE
from tests.conformance.scripts import IDLE

PATIENCE = 120.0
"""Seconds for what ends by itself, on a machine that has other things to do."""


@dataclass
class Runtime:
    """One runtime, for one test.

    `manager` keeps `ContainerManager`, and what its capabilities say.
    """

    name: str
    manager: Any
    small_disk: Path
    """A directory on a file system of 256 KiB, mountable into containers."""
    image: str = IMAGE
    foreign_image: str = FOREIGN
    worker: str = field(default_factory=lambda: uuid.uuid4().hex)
    capabilities: frozenset[str] = frozenset({"commit", "companion", "isolate", "userns"})

    def spec(self, **options: Any) -> ContainerSpec:
        """A container of this test: idle, unless `command` says otherwise."""
        labels = {LABEL_WORKER: self.worker, **options.pop("labels", {})}
        base: dict[str, Any] = {"name": f"adjutant-{uuid.uuid4().hex[:12]}", "image": self.image, "command": IDLE}
        return ContainerSpec(**base | options, labels=labels)

    def created(self, **options: Any) -> ContainerHandle:
        """A container that has not been started."""
        handle: ContainerHandle = self.manager.create(self.spec(**options))
        return handle

    def running(self, **options: Any) -> ContainerHandle:
        """A container that runs."""
        handle = self.created(**options)
        self.manager.start(handle)
        return handle

    def pair(self, **options: Any) -> tuple[ContainerHandle, ContainerHandle]:
        """A container and its companion, both running, as any runtime makes them: announced, then asked for."""
        companion = self.spec(companion_root="/buildroot", **options)
        first = self.running(companions=[companion])
        return first, self.joined(companion, first)

    def joined(self, companion: ContainerSpec, first: ContainerHandle) -> ContainerHandle:
        """The announced companion of a container, running."""
        handle: ContainerHandle = self.manager.create(replace(companion, companion_of=first))
        self.manager.start(handle)
        return handle

    @property
    def small(self) -> tuple[str, int, list[VolumeMount]]:
        """Where a container has a small file system, more bytes than that holds, and the mounts it needs for it."""
        if self.name.endswith("kubernetes"):
            return "/dev/shm", 80_000_000, []  # the container runtime's own, of 64 MiB
        return "/mnt", 4_000_000, [VolumeMount("/mnt", str(self.small_disk), read_only=False)]

    def output(self, handle: ContainerHandle, argv: list[str], **options: Any) -> bytes:
        """Stdout of a command that must succeed."""
        result = self.manager.exec(handle, argv, **options)
        assert (result.exit_code, result.stderr) == (0, b"")
        return bytes(result.stdout)

    def left(self) -> list[str]:
        """Names of this test's containers that are there."""
        return [info.handle.name for info in self.manager.list_managed({LABEL_WORKER: self.worker})]

    def clean(self) -> None:
        """Remove this test's containers."""
        for info in self.manager.list_managed({LABEL_WORKER: self.worker}):
            self.manager.remove(info.handle)
