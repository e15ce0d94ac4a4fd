"""Which of this daemon's images are whole after a crash of the machine.

An image that was made seconds before a crash is in Podman's store afterwards, and its files may be empty. So each has a
record, written before the image is, that names the run of the machine (its boot id). Some time after the making its files
are brought to the disk, and the record says so. A record of an earlier run that does not say so is doubtful: the image is
not used, and is made again. While the machine runs nothing is doubtful, however often the daemon starts.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import structlog

from koji_adjutant.container.interface import ImageInfo
from koji_adjutant.errors import ContainerError

log = structlog.get_logger(__name__)

SETTLE_SECONDS = 60.0
"""How long after its making an image is brought to the disk: by then the system has written nearly all of it by itself."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Sync = Callable[[str, Callable[[float], None]], bool]
"""Brings an image's files to the disk (`SupportsSync.sync_image`)."""


class ImagesOnDisk:
    """Records below `directory`, one a file, named by the image's digest. Thread-safe.

    Without `sync` (a runtime whose files nobody here sees) an image is good for one run of the machine.
    """

    def __init__(
        self,
        directory: Path,
        sync: Sync | None,
        *,
        settle: float = SETTLE_SECONDS,
        boot_id: str | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._directory = directory
        self._sync = sync
        self._settle = settle
        self._boot_id = boot_id or BOOT_ID.read_text().strip()
        self._wait = wait
        self._lock = threading.Lock()
        self._queue: SimpleQueue[tuple[float, str]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        for digest in self.known():
            self._schedule(digest)

    def known(self) -> list[str]:
        """Digests of all records."""
        return sorted(path.name for path in self._directory.glob("*") if path.suffix != ".new")

    def doubtful(self, digest: str) -> bool:
        """Whether the image's files may not have outlived a crash. One without a record was made by another daemon."""
        record = self._read(digest)
        return record is not None and record.get("boot") not in {None, self._boot_id}

    def making(self, digest: str, reference: str) -> None:
        """Note on disk that an image is about to be made. Raises OSError: then it must not be."""
        with self._lock:
            self._write(digest, {"image": reference, "boot": self._boot_id})

    def made(self, digest: str, image: ImageInfo) -> None:
        """Have the image brought to the disk in a while."""
        with self._lock:
            # By its id: the name may be given to another image before then.
            self._write(digest, {"image": image.reference, "boot": self._boot_id, "id": image.id})
        self._schedule(digest)

    def forget(self, digest: str) -> None:
        """The image is gone."""
        (self._directory / digest).unlink(missing_ok=True)

    def bring(self, digest: str) -> bool:
        """Bring one image to the disk now, and record it; False if that cannot be done."""
        record = self._unsafe(digest)
        if self._sync is None or record is None:
            return False
        began = time.monotonic()
        try:
            # As much rest as work: a build, or a cancel that has to be quick, waits for the same disk.
            if not self._sync(str(record["id"]), lambda took: self._wait(min(took, 1.0))):
                return False
            with self._lock:
                if self._read(digest) != record:
                    return False
                self._write(digest, {**record, "boot": None})
        except (ContainerError, OSError, RecursionError) as error:
            # It may have been removed meanwhile; else it is made again after a crash.
            log.info("image.not_on_disk", image=record["image"], error=str(error))
            return False
        log.info("image.on_disk", image=record["image"], seconds=round(time.monotonic() - began, 1))
        return True

    def _schedule(self, digest: str) -> None:
        if self._sync is None or self._unsafe(digest) is None:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="images-on-disk", daemon=True)
                self._thread.start()
        self._queue.put((time.monotonic() + self._settle, digest))

    def _work(self) -> None:
        while True:
            due, digest = self._queue.get()
            self._wait(max(0.0, due - time.monotonic()))
            try:
                self.bring(digest)
            except Exception:
                log.exception("image.not_on_disk", digest=digest)

    def _unsafe(self, digest: str) -> dict[str, str | None] | None:
        """The record of an image of this run that is not known to be on disk."""
        record = self._read(digest)
        return record if record is not None and record.get("boot") == self._boot_id and "id" in record else None

    def _read(self, digest: str) -> dict[str, str | None] | None:
        """The record; one that cannot be understood is that of no run."""
        try:
            found = json.loads((self._directory / digest).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return {"boot": "unknown"}
        return found if isinstance(found, dict) and "image" in found else {"boot": "unknown"}

    def _write(self, digest: str, record: dict[str, str | None]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        new = self._directory / f"{digest}.new"
        with new.open("w") as stream:
            stream.write(json.dumps(record))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self._directory / digest)
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
