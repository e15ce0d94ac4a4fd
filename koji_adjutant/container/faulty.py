"""A wrapper around any manager that fails from a seed, only in ways that real runtimes do.

A call may find the service away before it acts; its reply may be lost after it acted; a stream may be cut, with what came
so far delivered; pieces come in other sizes and late. Every such failure says so (`retryable`): nothing is made up, no
exit code is changed, no byte is altered. Callers that repeat what may be repeated must get the right answer in the end.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from koji_adjutant.container.interface import (
    ContainerHandle,
    ContainerInfo,
    ContainerManager,
    ContainerRunResult,
    ContainerSpec,
    ContainerState,
    CopiedFile,
    ImageInfo,
    MountAccess,
    PullPolicy,
    RuntimeHealth,
    SupportsCommit,
    SupportsHostPaths,
    Write,
)
from koji_adjutant.errors import CopyError, ExecError, RuntimeUnavailable

T = TypeVar("T")
LONGEST_DELAY = 0.02


class Faults:
    """Decides from a seed; the order of calls of one thread gives the same faults each time. Thread-safe."""

    def __init__(self, seed: int, rate: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable is what is wanted
        self._rate = rate
        self._sleep = sleep
        self._lock = threading.Lock()
        self.injected = 0
        """How many failures so far."""

    def happens(self) -> bool:
        """Whether the next thing fails."""
        with self._lock:
            found = self._random.random() < self._rate
            self.injected += found
            return found

    def number(self, below: int) -> int:
        """A number in [0, below)."""
        with self._lock:
            return self._random.randrange(max(1, below))

    def delay(self) -> None:
        """Come late."""
        if self.happens():
            self._sleep(self.number(1000) / 1000 * LONGEST_DELAY)


class CutStream:
    """Passes a stream on until `after` bytes, in pieces of odd sizes; then drops the rest. `after` None: passes all."""

    def __init__(self, write: Write, faults: Faults, after: int | None) -> None:
        self._write = write
        self._faults = faults
        self._left = after
        self.cut = False

    def __call__(self, data: bytes) -> None:
        kept = data if self._left is None else data[: self._left]
        if self._left is not None:
            self._left -= len(kept)
            self.cut = self.cut or len(kept) < len(data)
        split = self._faults.number(len(kept)) if self._faults.happens() else 0
        for piece in (kept[:split], kept[split:]):
            if piece:
                self._write(piece)


class FaultyManager:
    """`ContainerManager` (and what `inner` is besides) with faults at `rate` (0..1) from `seed`."""

    def __init__(
        self, inner: ContainerManager, seed: int, rate: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.inner = inner
        self.faults = Faults(seed, rate, sleep)

    def ensure_image_available(self, image: str, policy: PullPolicy = PullPolicy.MISSING) -> ImageInfo:
        return self._call(lambda: self.inner.ensure_image_available(image, policy))

    def create(self, spec: ContainerSpec) -> ContainerHandle:
        return self._call(lambda: self.inner.create(spec))

    def start(self, handle: ContainerHandle, timeout: float = 60.0) -> None:
        self._call(lambda: self.inner.start(handle, timeout))

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
        self._before()
        cut = self.faults.number(64) if self.faults.happens() else None
        outputs = [CutStream(write, self.faults, cut) if write else None for write in (stdout, stderr)]
        result = self.inner.exec(
            handle,
            argv,
            stdin=stdin,
            env=env,
            workdir=workdir,
            user=user,
            stdout=outputs[0],
            stderr=outputs[1],
            timeout=timeout,
        )
        if cut is not None:
            raise ExecError(f"the stream of `{argv[0]}` in {handle.name} broke", reason="unknown-end", retryable=True)
        return result

    def copy_to(self, handle: ContainerHandle, source: Path | bytes, target: str, *, mode: int = 0o644) -> None:
        self._call(lambda: self.inner.copy_to(handle, source, target, mode=mode))

    def copy_from(self, handle: ContainerHandle, source: str, target: BinaryIO, *, max_bytes: int) -> int:
        self._before()
        cut = self.faults.number(64) if self.faults.happens() else None
        stream = CutStream(target.write, self.faults, cut)
        size = self.inner.copy_from(handle, source, cast("BinaryIO", _Sink(stream)), max_bytes=max_bytes)
        if stream.cut:
            raise CopyError(f"the stream of {source} broke", reason="broken-stream", retryable=True)
        return size

    def list_files(self, handle: ContainerHandle, directory: str, *, max_entries: int = 100_000) -> list[CopiedFile]:
        return self._call(lambda: self.inner.list_files(handle, directory, max_entries=max_entries))

    def stream_logs(self, handle: ContainerHandle, write: Write, *, max_bytes: int = 1 << 30) -> None:
        self._before()
        cut = self.faults.number(64) if self.faults.happens() else None
        stream = CutStream(write, self.faults, cut)
        self.inner.stream_logs(handle, stream, max_bytes=max_bytes)
        if stream.cut:
            raise ExecError(f"the log of {handle.name} broke", reason="unknown-end", retryable=True)

    def wait(self, handle: ContainerHandle, timeout: float) -> ContainerState:
        return self._call(lambda: self.inner.wait(handle, timeout))

    def state(self, handle: ContainerHandle) -> ContainerState:
        return self._call(lambda: self.inner.state(handle))

    def remove(self, handle: ContainerHandle) -> None:
        self._call(lambda: self.inner.remove(handle))

    def run(self, spec: ContainerSpec, timeout: float) -> ContainerRunResult:
        self._before()
        return self.inner.run(spec, timeout)

    def list_managed(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        return self._call(lambda: self.inner.list_managed(labels))

    def mount_access(self) -> MountAccess:
        return self.inner.mount_access()

    def health_check(self) -> RuntimeHealth:
        return self._call(self.inner.health_check)

    def close(self) -> None:
        self.inner.close()

    def commit(self, handle: ContainerHandle, reference: str, labels: Mapping[str, str]) -> ImageInfo:
        inner = cast("SupportsCommit", self.inner)
        return self._call(lambda: inner.commit(handle, reference, labels))

    def make_image(self, reference: str, files: Mapping[str, bytes], labels: Mapping[str, str]) -> ImageInfo:
        inner = cast("SupportsCommit", self.inner)
        return self._call(lambda: inner.make_image(reference, files, labels))

    def list_images(self, labels: Mapping[str, str]) -> list[ImageInfo]:
        inner = cast("SupportsCommit", self.inner)
        return self._call(lambda: inner.list_images(labels))

    def remove_image(self, reference: str) -> bool:
        inner = cast("SupportsCommit", self.inner)
        return self._call(lambda: inner.remove_image(reference))

    def root_path(self, handle: ContainerHandle) -> Path:
        inner = cast("SupportsHostPaths", self.inner)
        return self._call(lambda: inner.root_path(handle))

    def host_ids(self, handle: ContainerHandle) -> tuple[int, int]:
        inner = cast("SupportsHostPaths", self.inner)
        return self._call(lambda: inner.host_ids(handle))

    def _call(self, act: Callable[[], T]) -> T:
        self._before()
        result = act()
        if self.faults.happens():
            raise RuntimeUnavailable("the reply of the runtime was lost", details="connection reset by peer")
        return result

    def _before(self) -> None:
        self.faults.delay()
        if self.faults.happens():
            raise RuntimeUnavailable("the runtime cannot be reached", details="connection refused")


class _Sink:
    """A file object of one method, for a stream that goes elsewhere."""

    def __init__(self, write: Write) -> None:
        self.write = write
