"""`saveFailedTree`: the archive of a failed task's root, made inside that root (contract 4.7). Native, for the plugin."""

from __future__ import annotations

import configparser
import gzip
import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import koji

from koji_adjutant.container.interface import LABEL_ROLE, LABEL_TASK, LABEL_WORKER, ContainerHandle, ContainerStatus
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import ContainerError
from koji_adjutant.hub.uploads import upload_file
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.context import Interruption
from koji_adjutant.tasks.kept_root import keep_root, kept_until
from koji_adjutant.tasks.tree_archive import NO_DIRECTORY, ArchiveSieve, archive_script, root_path

FILE_NAME = "save_failed_tree.conf"
ARCHIVE_SECONDS = 4 * 3600.0
COMPRESSION = 6


@dataclass(frozen=True)
class SaveTreeConfig:
    """`save_failed_tree.conf`."""

    path_filters: tuple[str, ...] = ()
    volume: str | None = None


def read_save_tree_config(directory: Path) -> SaveTreeConfig:
    """Read the plugin's configuration as the plugin does; a missing file is an empty one.

    Raises:
        koji.GenericError: the file's syntax is wrong.
    """
    path = directory / FILE_NAME
    try:
        parser = koji.read_config_files(str(path))
        volume = parser.get("general", "volume", fallback=None)
        return SaveTreeConfig(
            tuple(parser.get("filters", "paths", fallback="").split()), None if volume is None else volume.strip()
        )
    except configparser.Error as error:
        raise koji.GenericError(f"bad config: {path}: {error}") from error


class SaveFailedTreeTask(ThreadedTask):
    """Handles `saveFailedTree`."""

    Methods = ["saveFailedTree"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 3.0  # noqa: N815 - koji's name

    def handler(self, buildrootID: int, full: bool = False) -> None:  # noqa: N803 - the plugin's name
        """Archive and upload; the plugin's parameters, name of the upload and errors. Safe to repeat."""
        config = read_save_tree_config(self.context.config.plugin_conf_dir)
        buildroot = self.session.getBuildroot(buildrootID)
        if buildroot is None:
            raise koji.GenericError(f"Nonexistent buildroot: {buildrootID}")
        if buildroot["host_id"] != self.session.host.getHost()["id"]:
            raise koji.GenericError("Task is run on wrong builder")
        name = f"{buildroot['tag_name']}-{buildroot['id']}-{buildroot['repo_id']}"
        archive = self.context.directory / f"broot-{buildrootID}.tar.gz"
        try:
            with self._spared(int(buildroot["task_id"])), archive.open("wb") as stream:
                self._archive(buildroot, name, config, stream, full=full)
            upload_file(self.session, archive, self.context.upload_dir, volume=config.volume)
        finally:
            archive.unlink(missing_ok=True)

    def _archive(
        self, buildroot: Mapping[str, Any], name: str, config: SaveTreeConfig, stream: BinaryIO, *, full: bool
    ) -> None:
        path = root_path(self.options.mockdir, name) + ("" if full else "/builddir")
        errors = _Tail()
        capped = _Capped(stream, self.context.config.build.result_max_bytes, self.context.interruption)
        with gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=capped) as packed:
            sieve = ArchiveSieve(packed.write, config.path_filters)
            try:
                result = self.context.runtime.exec(
                    self._container(buildroot, path),
                    [f"{BIN_DIR}/busybox", "sh", "-s"],
                    stdin=archive_script(self.options.mockdir, name, full=full),
                    stdout=sieve.feed,
                    stderr=errors,
                    timeout=ARCHIVE_SECONDS,
                )
            except (ContainerError, ValueError) as error:
                # The root of a task that has failed is all there is: another host, or a later try, has no more of it.
                raise koji.GenericError(f"{path} could not be archived: {error}") from error
        if result.exit_code == NO_DIRECTORY:
            raise _missing(path, "the root has no such directory")
        if result.exit_code or not sieve.complete:
            raise koji.GenericError(f"{path} could not be archived: {errors.text or f'status {result.exit_code}'}")

    def _container(self, buildroot: Mapping[str, Any], path: str) -> ContainerHandle:
        """Return the container that holds the root."""
        task_id = int(buildroot["task_id"])
        rows = self.session.listBuildroots(taskID=task_id, hostID=buildroot["host_id"])
        if any(row["id"] > buildroot["id"] for row in rows):
            raise _missing(path, f"task {task_id} was started again after it, and only its last root is kept")
        labels = {
            LABEL_WORKER: self.context.identity.worker_label,
            LABEL_TASK: str(task_id),
            LABEL_ROLE: "task",
        }
        found = self.context.runtime.list_managed(labels)
        if not found:
            hours = self.options.failed_buildroot_lifetime / 3600
            raise _missing(
                path,
                f"this builder has no root of task {task_id}: it is kept for {hours:g} hours "
                "(failed_buildroot_lifetime), less when the disk is short, and not after a failure of the builder itself",
            )
        running = [info for info in found if info.status is ContainerStatus.RUNNING]
        if not running:
            raise _missing(path, f"the container of task {task_id} has ended: this machine was restarted since")
        return max(running, key=lambda info: info.created_at).handle

    @contextmanager
    def _spared(self, task_id: int) -> Iterator[None]:
        """Keep the failed task's root from being swept meanwhile."""
        directory = self.context.directory.parent / str(task_id)
        before = kept_until(directory)
        if before is None:
            yield
            return
        keep_root(directory, max(before, time.time() + ARCHIVE_SECONDS))
        try:
            yield
        finally:
            if directory.is_dir():
                keep_root(directory, before)


class _Capped(io.RawIOBase):
    """Writes an archive to a file; ends it when it grows too large or the task is to end."""

    def __init__(self, stream: BinaryIO, max_bytes: int, interruption: Interruption) -> None:
        self._stream = stream
        self._left = max_bytes
        self._max = max_bytes
        self._interruption = interruption

    def write(self, data: Any, /) -> int:
        size = len(data)
        self._left -= size
        if self._left < 0:
            raise koji.GenericError(
                f"the archive is larger than the {self._max} bytes allowed (build.result_max_bytes)"
            )
        self._interruption.check()
        self._stream.write(data)
        return size


class _Tail:
    """Keeps the end of what a command complains about."""

    def __init__(self) -> None:
        self._data = b""

    def __call__(self, data: bytes) -> None:
        self._data = (self._data + data)[-2000:]

    @property
    def text(self) -> str:
        return self._data.decode("utf-8", "replace").strip()


def _missing(path: str, why: str) -> koji.GenericError:
    return koji.GenericError(f"Buildroot directory is missing: {path} ({why})")
