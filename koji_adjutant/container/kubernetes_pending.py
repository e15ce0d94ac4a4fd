"""Pods that are created and not started: Kubernetes starts what it creates, so `create` only remembers.

What is copied into such a container waits in a file of its own until there is a pod to put it into.
"""

from __future__ import annotations

import posixpath
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from koji_adjutant.container.interface import ContainerHandle, ContainerInfo, ContainerSpec, ContainerStatus
from koji_adjutant.container.kubernetes_labels import PodRef
from koji_adjutant.container.kubernetes_plan import PodPlan
from koji_adjutant.container.kubernetes_pod import PodManifest, containers_of
from koji_adjutant.container.pod_copies import check_path
from koji_adjutant.container.pod_put import put_stream
from koji_adjutant.errors import ContainerError

_IN_MEMORY = 1 << 20
_PIECE = 1 << 16


@dataclass(frozen=True)
class WaitingCopy:
    """Frames for `directory` of a container, in a file that is gone once closed."""

    handle: ContainerHandle
    directory: str
    target: str
    frames: IO[bytes]

    def read(self) -> Iterator[bytes]:
        """The frames from their beginning."""
        self.frames.seek(0)
        while piece := self.frames.read(_PIECE):
            yield piece


@dataclass
class PendingPod:
    """A pod to be made by `start`; or one that is made and not yet ready, since its maker died."""

    spec: ContainerSpec
    plan: PodPlan
    manifest: PodManifest
    created_at: float = field(default_factory=time.time)
    copies: list[WaitingCopy] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held by who makes it."""
    dropped: bool = False
    """Nobody wants it any more: who makes it takes it away again."""

    def infos(self) -> Iterator[ContainerInfo]:
        """Its first container as `list_managed` shows it: companions do not exist before it runs."""
        first = next(iter(containers_of(self.manifest.pod)))
        yield ContainerInfo(first.ref.handle(first.name), first.labels, ContainerStatus.CREATED, self.created_at)

    def close(self) -> None:
        """Give back the files of the copies."""
        for copy in self.copies:
            copy.frames.close()


class PendingPods:
    """The pods of this daemon that wait for their start. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pods: dict[tuple[str, str], PendingPod] = {}

    def add(self, pending: PendingPod) -> PendingPod:
        """Remember a pod, or return the one that is remembered by its name.

        Raises:
            ContainerError: `conflict`: that one has other labels.
        """
        with self._lock:
            for found in self._pods.values():
                if found.spec.name != pending.spec.name or found.dropped:
                    continue
                if dict(found.spec.labels) != dict(pending.spec.labels):
                    raise conflict(pending.spec.name)
                return found
            self._pods[pending.plan.namespace, pending.plan.name] = pending
        return pending

    def find(self, ref: PodRef) -> PendingPod | None:
        """The pod of a container."""
        with self._lock:
            return self._pods.get((ref.namespace, ref.pod))

    def drop(self, ref: PodRef) -> None:
        """Forget a pod: it runs, or is not wanted any more."""
        with self._lock:
            found = self._pods.pop((ref.namespace, ref.pod), None)
        if found is not None:
            found.dropped = True
            found.close()

    def all(self) -> list[PendingPod]:
        """Every one."""
        with self._lock:
            return list(self._pods.values())

    def close(self) -> None:
        """Forget all."""
        with self._lock:
            pods, self._pods = list(self._pods.values()), {}
        for pending in pods:
            pending.close()


def hold_copy(pending: PendingPod, handle: ContainerHandle, source: Path | bytes, target: str, mode: int) -> None:
    """Keep a copy until there is a pod. Raises as `put_stream` does."""
    check_path(target)
    directory, name = posixpath.split(target.rstrip("/"))
    frames: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed with the copy
    try:
        for piece in put_stream(source, name, mode):
            frames.write(piece)
    except BaseException:
        frames.close()
        raise
    pending.copies.append(WaitingCopy(handle, directory, target, frames))


def conflict(name: str) -> ContainerError:
    """The error for a name that something else has."""
    return ContainerError(f"there is a container {name} with other labels", reason="conflict")
