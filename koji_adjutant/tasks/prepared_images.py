"""Prepared images of this daemon: looked up by tasks, made in the background, evicted (design section 6.3).

The first task of a repository does not wait for its image: it installs its root and builds, while one background thread
fills a container of its own and commits it. Later tasks start from that. So a cold build pays nothing for the image, and
the image never saw a BuildRequires or a spec.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import structlog

from koji_adjutant.buildroot.prepared import FORMAT as PREPARED_FORMAT
from koji_adjutant.buildroot.prepared import LABEL_FORMAT, LABEL_REPO, LABEL_TAG, PreparedImage, PreparedKey, to_evict
from koji_adjutant.container.interface import ContainerHandle, ImageInfo, ImageKeeper, PullPolicy, SupportsSync
from koji_adjutant.errors import AdjutantError, ContainerError, ImageError
from koji_adjutant.tasks.images_on_disk import ImagesOnDisk

log = structlog.get_logger(__name__)

STRAY_AGES = 4.0
"""So many times the age limit after its making, an image that we never used counts as nobody's."""
STARTING_SECONDS = 120.0
"""How long an image that a task has just asked for is held against eviction, until its container shows its use."""

Recipe = Callable[[], tuple[ContainerHandle, Callable[[], None]]]
"""Fills a container; returns it and what removes it (and its companion). Raises what installing raises."""


class ImageKey(Protocol):
    """Names an image that this daemon makes: prepared roots, and tools images of a tag's own repo."""

    @property
    def digest(self) -> str: ...
    @property
    def reference(self) -> str: ...


class PreparedImages:
    """All methods are thread-safe. `directory` keeps one file per image: mtime is its last use, size the number of uses.

    A directory beside it keeps what is known of each image's safety on disk.
    """

    def __init__(
        self,
        runtime: ImageKeeper,
        directory: Path,
        *,
        max_bytes: int,
        max_age: float,
        enabled: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._runtime = runtime
        self._directory = directory
        self._max_bytes = max_bytes
        self._max_age = max_age
        self.enabled = enabled
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._starting: dict[str, float] = {}
        self._queue: queue.SimpleQueue[tuple[str, str, Callable[[], None]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._idle = threading.Condition(self._lock)
        sync = runtime.sync_image if isinstance(runtime, SupportsSync) else None
        self._on_disk = ImagesOnDisk(directory.with_name(f"{directory.name}-records"), sync)
        if any(map(self._on_disk.doubtful, self._on_disk.known())):
            self.submit("doubtful", "", self._drop_doubtful)

    def find(self, key: ImageKey) -> ImageInfo | None:
        """Return the image of `key` and count it as used now, or None."""
        if not self.enabled or self._on_disk.doubtful(key.digest):
            return None
        with self._lock:
            self._starting[key.reference] = self._clock() + STARTING_SECONDS
        try:
            image = self._runtime.ensure_image_available(key.reference, PullPolicy.NEVER)
        except ImageError:
            with self._lock:
                self._starting.pop(key.reference, None)
            return None
        self._touch(key.digest, hit=True)
        return image

    def request(self, key: PreparedKey, tag_name: str, recipe: Recipe) -> None:
        """Have the image of `key` made in the background, unless it is being made already. Returns at once."""
        self.submit(key.digest, tag_name, lambda: self._make(key, tag_name, recipe))

    def submit(self, name: str, tag_name: str, job: Callable[[], None]) -> None:
        """Have `job` done in the background after what was asked for before it, unless one of that name waits already."""
        if not self.enabled:
            return
        with self._lock:
            if name in self._pending:
                return
            self._pending.add(name)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="prepared-images", daemon=True)
                self._thread.start()
        self._queue.put((name, tag_name, job))

    def pending(self, name: str) -> bool:
        """Say whether a job of that name waits or runs."""
        with self._lock:
            return name in self._pending

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nothing is being made; for one-person use, whose process ends with its build."""
        deadline = time.monotonic() + timeout
        with self._idle:
            while self._pending:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._idle.wait(left)
        return True

    def evict(self) -> None:
        """Remove images beyond the bounds of size and age; those being started and those in use are left alone.

        So are those of another daemon on the same runtime, which only it knows the last use of.
        """
        with self._lock:
            now = self._clock()
            self._starting = {name: until for name, until in self._starting.items() if until > now}
            starting = set(self._starting)
        found = self._runtime.list_images({LABEL_FORMAT: str(PREPARED_FORMAT)})
        stray = now - STRAY_AGES * self._max_age
        images = [self._prepared(info) for info in found if self._is_ours(info) or info.created_at < stray]
        for image in to_evict(images, now=now, max_bytes=self._max_bytes, max_age=self._max_age, starting=starting):
            if self._runtime.remove_image(image.reference):
                self._forget(_digest(image.reference))
                log.info("prepared.evicted", image=image.reference, size=image.size_bytes)

    def images(self) -> list[tuple[ImageInfo, PreparedImage]]:
        """Return the images of this daemon, the longest unused first; those of another one on the runtime are not ours."""
        found = self._runtime.list_images({LABEL_FORMAT: str(PREPARED_FORMAT)})
        images = [(info, self._prepared(info)) for info in found if self._is_ours(info)]
        return sorted(images, key=lambda pair: pair[1].last_used_at)

    def drop(self, reference: str) -> bool:
        """Remove an image whatever its age; False, and it stays, while a task uses it or is about to."""
        with self._lock:
            starting = self._starting.get(reference, 0.0) > self._clock()
        if starting or not self._runtime.remove_image(reference):
            return False
        self._forget(_digest(reference))
        return True

    def _work(self) -> None:
        while True:
            name, tag_name, job = self._queue.get()
            try:
                job()
            except (AdjutantError, OSError) as error:
                # The next task of the repository installs its root itself and asks again.
                log.warning("prepared.failed", tag=tag_name, error=str(error))
            except Exception:
                log.exception("prepared.failed", tag=tag_name)
            finally:
                with self._idle:
                    self._pending.discard(name)
                    self._idle.notify_all()

    def keep(self, key: ImageKey, container: ContainerHandle, labels: Mapping[str, str]) -> ImageInfo:
        """Commit a container as the image of `key`, used now. `labels` hold LABEL_FORMAT, by which it is evicted."""
        self._on_disk.making(key.digest, key.reference)
        image = self._runtime.commit(container, key.reference, labels)
        self._on_disk.made(key.digest, image)
        self._touch(key.digest)
        return image

    def _drop_doubtful(self) -> None:
        """Remove images whose files a crash of the machine may have taken. `find` gives none of them, gone or not."""
        listed = self._runtime.list_images({LABEL_FORMAT: str(PREPARED_FORMAT)})
        there = {_digest(info.reference): info.reference for info in listed}
        for digest in filter(self._on_disk.doubtful, self._on_disk.known()):
            if digest not in there or self._runtime.remove_image(there[digest]):
                self._forget(digest)
                log.warning("prepared.dropped", image=digest, reason="the machine went down before it was on disk")

    def _forget(self, digest: str) -> None:
        self._use_file(digest).unlink(missing_ok=True)
        self._on_disk.forget(digest)

    def _make(self, key: PreparedKey, tag_name: str, recipe: Recipe) -> None:
        if self.find(key) is not None:
            return
        began = time.monotonic()
        container, remove = recipe()
        try:
            image = self.keep(key, container, key.labels(tag_name))
        finally:
            remove()
        seconds = round(time.monotonic() - began, 1)
        log.info("prepared.made", tag=tag_name, repo_id=key.repo_id, size=image.size_bytes, seconds=seconds)
        try:
            self.evict()
        except ContainerError as error:
            log.warning("prepared.eviction_failed", error=str(error))

    def _prepared(self, info: ImageInfo) -> PreparedImage:
        try:
            found = self._use_file(_digest(info.reference)).stat()
            used, hits = found.st_mtime, found.st_size
        except OSError:
            used, hits = info.created_at, 0
        return PreparedImage(
            info.reference,
            info.size_bytes,
            info.created_at,
            used,
            hits=hits,
            tag=info.labels.get(LABEL_TAG, ""),
            repo_id=info.labels.get(LABEL_REPO, ""),
        )

    def _is_ours(self, info: ImageInfo) -> bool:
        return self._use_file(_digest(info.reference)).exists()

    def _touch(self, digest: str, *, hit: bool = False) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        with self._use_file(digest).open("ab") as file:
            file.write(b"." if hit else b"")
        os.utime(self._use_file(digest))

    def _use_file(self, digest: str) -> Path:
        return self._directory / digest


def _digest(reference: str) -> str:
    """The key's digest, which is the image's tag."""
    return reference.rpartition(":")[2]
