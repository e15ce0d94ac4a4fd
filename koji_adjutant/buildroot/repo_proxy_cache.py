"""Packages that builds of this machine have fetched: a directory of files by URL, bounded in bytes.

Only what hardly ever changes under its URL is kept. One download serves all that ask for it meanwhile, each at its own speed: a
task that reads slowly holds up nobody. The directory may be deleted at any time, also while it is in use.
"""

from __future__ import annotations

import atexit
import hashlib
import itertools
import os
import threading
import time
import weakref
from collections import deque
from pathlib import Path

import structlog

from koji_adjutant.buildroot.repo_proxy_download import CachedFile, Download, Fetch, join, open_part, open_whole, store
from koji_adjutant.buildroot.repo_proxy_files import (
    discard,
    packages,
    part_bytes,
    part_path,
    remove_oldest,
    remove_remains,
    sync,
)

_log = structlog.get_logger(__name__)
_SPARE_BYTES = 256 << 20
"""Never fill the disk to less than this, nor to less than what keeps the host from taking tasks."""
_KEEP_AFTER = 30.0
"""Seconds after which a package is kept beyond a crash: by then the system has written it by itself."""
_MAX_DOWNLOADS = 32
"""At once, each a thread; who asks beyond that fetches for itself. Whoever asks may hang up, and the download goes on."""


class PackageCache:
    """At most `max_bytes` of packages in `directory`, the least recently used out first. Shared by all tasks; thread-safe."""

    def __init__(self, directory: Path, max_bytes: int, *, minspace: int = 0, keep_after: float = _KEEP_AFTER) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._spare = max(_SPARE_BYTES, minspace)
        self._lock = threading.Lock()
        self._keep_after = keep_after
        self._running: dict[str, Download] = {}
        """Not in the cache under their names yet: those under way, and those that are there but maybe not on disk."""
        self._slots = threading.BoundedSemaphore(_MAX_DOWNLOADS)
        self._fetching: set[Download] = set()
        """Those whose bytes are still to come."""
        self._unkept: deque[tuple[float, str, Download]] = deque()
        self._keeper: threading.Thread | None = None
        self._serial = itertools.count()
        self._bytes: int | None = None
        """Size of all files, others' included as of the last look; None: not looked yet."""
        self.hits = 0
        self.misses = 0
        remove_remains(directory)
        atexit.register(_flush, weakref.ref(self))

    def open(self, url: str, fetch: Fetch, *, anew: bool = False) -> CachedFile | None:
        """The file of `url`: from the cache, or fetched into it by `fetch` in a thread of its own.

        `anew`: what the cache has is not what the repository's metadata promise; it is fetched again in its place.
        None: it cannot be cached (not there, no length, too large, disk full); the caller fetches it for itself.
        """
        name = hashlib.sha256(url.encode()).hexdigest()
        with self._lock:
            if anew:
                discard(self._directory / name[:2] / name)
                self._running.pop(name, None)  # if it waits to be kept, that is before its successor, which replaces it
            found = open_whole(self._directory / name[:2] / name)
            if found is not None:
                self.hits += 1
                return found
            download = self._running.get(name)
            # Opened before the download can be settled: a renamed or evicted file stays readable.
            stream = open_part(download) if download is not None else None
            if stream is not None:
                self.hits += 1
            else:
                self.misses += 1
                download = self._begin(name, url, fetch)
                stream = open_part(download) if download is not None else None
        return join(download, stream) if download is not None and stream is not None else None

    def _begin(self, name: str, url: str, fetch: Fetch) -> Download | None:
        # A name of its own: an earlier download whose file was deleted may still wait to be kept.
        path = part_path(self._directory, name, next(self._serial))
        if not self._slots.acquire(blocking=False):
            return None
        download = Download(path)
        run = threading.Thread(
            target=self._run, args=(download, name, url, fetch), name="package-download", daemon=True
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            self._running[name] = download
            run.start()
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
            _log.warning("package_cache.not_begun", path=str(path), error=str(error))
            self._drop(name, download)
            discard(path)
            download.finish("failed")
            self._slots.release()
            return None
        return download

    def _run(self, download: Download, name: str, url: str, fetch: Fetch) -> None:
        end = "failed"
        try:
            with fetch() as upstream, download.path.open("r+b", buffering=0) as stream:
                if upstream is not None and self._fits(download, upstream.length):
                    store(download, upstream, stream)
                    end = "done"
        except Exception as error:  # noqa: BLE001 # a thread's top: whoever waits learns of it
            _log.info("package_cache.download_failed", url=url, error=str(error))
        finally:
            try:
                self._settle(name, download, end)
            finally:
                download.finish(end)
                self._slots.release()

    def _settle(self, name: str, download: Download, end: str) -> None:
        with self._lock:
            self._fetching.discard(download)
        if end == "done":
            self._keep_later(name, download)
        else:
            self._forget(name, download)

    def flush(self) -> None:
        """Keep now what would be kept later. Safe to repeat; called when the process ends."""
        while (next_one := self._take()) is not None:
            self._keep_one(*next_one)

    def _keep_later(self, name: str, download: Download) -> None:
        """Let the disk be: a build waits for this package, and the system writes it in its own time."""
        with self._lock:
            self._unkept.append((time.monotonic() + self._keep_after, name, download))
            if self._keeper is None:
                keeper = threading.Thread(target=self._keep, name="package-keeper", daemon=True)
                try:
                    keeper.start()
                except RuntimeError:  # no more threads: the next package, or the end of the process, keeps this one too
                    return
                self._keeper = keeper

    def _keep(self) -> None:
        """Give files their names in the cache when their time has come; ends when there are no more."""
        while True:
            with self._lock:
                if not self._unkept:
                    self._keeper = None
                    return
                due = self._unkept[0][0]
            threading.Event().wait(max(0.0, due - time.monotonic()))
            if (next_one := self._take()) is not None:
                self._keep_one(*next_one)

    def _take(self) -> tuple[str, Download] | None:
        with self._lock:
            return self._unkept.popleft()[1:] if self._unkept else None

    def _keep_one(self, name: str, download: Download) -> None:
        try:
            sync(download.path)
            with self._lock:
                download.path.rename(download.path.with_name(name))
                self._drop(name, download)
        except OSError as error:
            _log.info("package_cache.not_kept", path=str(download.path), error=str(error))
            self._forget(name, download)
            return
        try:
            if self._outgrown(download):
                self.evict()
        except OSError as error:
            _log.warning("package_cache.not_evicted", directory=str(self._directory), error=str(error))

    def _forget(self, name: str, download: Download) -> None:
        with self._lock:
            self._drop(name, download)
            discard(download.path)

    def _drop(self, name: str, download: Download) -> None:
        # Its file may have been deleted and another download of the same name begun.
        if self._running.get(name) is download:
            del self._running[name]

    def _outgrown(self, download: Download) -> bool:
        """Count a new file; looking at every file of the cache for each one that comes would cost more than they do."""
        size = download.wait_for_length() or 0
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in packages(self._directory))
            else:
                self._bytes += size
            return self._bytes > self._max_bytes

    def _fits(self, download: Download, length: int | None) -> bool:
        """Whether there is room beside all that is still to come; if so, the length is told, and its room counts as taken."""
        if length is None or length > self._max_bytes:
            return False
        with self._lock:
            room = os.statvfs(self._directory)
            coming = sum(other.lacking() for other in self._fetching)
            if room.f_bavail * room.f_frsize <= length + coming + self._spare:
                return False
            self._fetching.add(download)
            download.begin(length)
        return True

    def evict(self) -> int:
        """Remove the least recently used until the rest fits; returns the bytes removed."""
        remains = remove_remains(self._directory)
        total = sum(size for _, size, _ in packages(self._directory)) + part_bytes(self._directory)
        return remains + self._remove(total - self._max_bytes)

    def make_room(self, free: int) -> int:
        """Remove the least recently used until `free` bytes of its file system are free; returns the bytes removed."""
        try:
            room = os.statvfs(self._directory)
        except FileNotFoundError:
            return 0
        lacking = free - room.f_bavail * room.f_frsize
        if lacking <= 0:
            return 0
        remains = remove_remains(self._directory)
        return remains + self._remove(lacking - remains)

    def _remove(self, excess: int) -> int:
        removed, left = remove_oldest(self._directory, excess)
        with self._lock:
            self._bytes = left
        if removed:
            _log.info("package_cache.evicted", bytes=removed)
        return removed


def _flush(reference: weakref.ref[PackageCache]) -> None:
    cache = reference()
    if cache is not None:
        cache.flush()
