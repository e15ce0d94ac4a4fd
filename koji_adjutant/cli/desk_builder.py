"""A builder in this process for the length of one build: the daemon's manager on the embedded hub, under a name of its own.

Its host name belongs to the desk directory and its hub to this machine and port, so neither its sweep nor that of a
service on the same Podman ever sees the other's containers (labels, `hub.identity`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from koji_adjutant.buildroot.repo_proxy import PackageCache
from koji_adjutant.cli.desk_directory import DeskDirectory
from koji_adjutant.cli.desk_hub import DeskHub
from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.config.model import AdjutantConfig, PollSection
from koji_adjutant.container.interface import LABEL_TASK, LABEL_WORKER, ContainerInfo, ImageKeeper
from koji_adjutant.errors import ContainerError
from koji_adjutant.hub.identity import identify
from koji_adjutant.hub.login import connect, take_exclusive
from koji_adjutant.manager.assembly import Supplies, assemble
from koji_adjutant.manager.parts import LoopEnd
from koji_adjutant.manager.readiness import Machine
from koji_adjutant.manager.running import RunningTask
from koji_adjutant.manager.starter import Settings
from koji_adjutant.manager.stopping import StopMode, stop
from koji_adjutant.tasks.kept_root import kept_until
from koji_adjutant.tasks.prepared_images import PreparedImages
from koji_adjutant.tasks.registry import handler_table
from koji_adjutant.tasks.shared import PACKAGE_CACHE_BYTES, SharedServices
from koji_adjutant.tasks.tools_images import ToolsImages

log = structlog.get_logger(__name__)

KEEP_SECONDS = 86400
"""How long --keep keeps a root, if it is not removed by hand."""
MIN_FREE_MB = 1024
JOIN_SECONDS = 30.0
UNSHARE_SECONDS = 60.0
REMOVAL_ROUNDS = 5
"""A container may be in the making while the others are removed."""


class DeskBuilder:
    """Runs tasks of one hub while its context lasts; on the way out everything of it is removed but what is to be kept."""

    def __init__(
        self, desk: DeskDirectory, hub: DeskHub, config: AdjutantConfig, runtime: ImageKeeper, *, keep: bool
    ) -> None:
        self._desk = desk
        self._runtime = runtime
        self._options = _options(desk, hub, KEEP_SECONDS if keep else 0)
        self._config = config
        self.shared = _shared(desk, self._options, config, runtime)
        self._thread = threading.Thread(target=self._run, name="builder", daemon=True)
        self._end: LoopEnd | None = None

    def __enter__(self) -> Self:
        """Log in, clear what a killed build left, begin to take tasks."""
        clear(self._runtime, self._desk)
        session = connect(self._options, interrupt=threading.Event())
        # We hold the directory's lock: a session on record is that of a process that died.
        take_exclusive(session, force=True)
        settings = Settings(self._options, self._config)
        self._manager, self._parts = assemble(
            Supplies(
                session=session,
                identity=identify(session, self._options),
                settings=lambda: settings,
                handlers=handler_table(),
                runtime=self._runtime,
                shared=self.shared,
                disk_paths=(self._desk.state,),
                # One person waits: neither load nor other builds count.
                observe=Machine,
            )
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._manager.request_stop()
        self._thread.join(JOIN_SECONDS)
        stop(self._parts, StopMode.FREE)
        clear(self._runtime, self._desk)

    @property
    def ended(self) -> LoopEnd | None:
        """Why no tasks are taken any more."""
        return self._end

    def running(self, task: int) -> RunningTask | None:
        """Return the task while it runs here."""
        return self._parts.table.get(task)

    def containers(self, task: int) -> list[ContainerInfo]:
        """Return the containers of a task that are still there."""
        found = containers_of(self._runtime, self._desk.host_name)
        return [info for info in found if info.labels.get(LABEL_TASK) == str(task)]

    def _run(self) -> None:
        self._end = self._manager.run()


def desk_config(config: AdjutantConfig, desk: DeskDirectory, tools_image: str | None) -> AdjutantConfig:
    """Return the machine's configuration as a one-person build uses it. Pure."""
    images = config.images
    if tools_image:
        # Who names an image means that one, not one made from the repositories.
        images = images.model_copy(update={"tools": tools_image, "rules": (), "bootstrap": "off"})
    poll = PollSection(tasks_min=1, host_tasks=1, check_in=60)
    return config.model_copy(update={"state_dir": desk.state, "images": images, "poll": poll, "artifacts": "upload"})


def containers_of(runtime: ImageKeeper, host: str) -> list[ContainerInfo]:
    """Return the containers of a host, whichever port its hub had."""
    found = runtime.list_managed({})
    return [info for info in found if info.labels.get(LABEL_WORKER, "").startswith(f"{host}.")]


def remove_all(runtime: ImageKeeper, host: str, spare: Callable[[ContainerInfo], bool] = lambda _: False) -> None:
    """Remove the containers of a host, also those being made meanwhile; what cannot be removed is logged."""
    for number in range(REMOVAL_ROUNDS):
        left = [info for info in containers_of(runtime, host) if not spare(info)]
        if not left:
            return
        if number:
            time.sleep(0.2)
        for info in left:
            try:
                runtime.remove(info.handle)
            except ContainerError as error:
                log.warning("container.not_removed", container=info.handle.name, error=str(error))


def clear(runtime: ImageKeeper, desk: DeskDirectory) -> None:
    """Remove containers and task directories of this desk but those that --keep keeps."""
    now = time.time()

    def directory(info: ContainerInfo) -> Path:
        return desk.state / info.labels[LABEL_WORKER] / "tasks" / info.labels.get(LABEL_TASK, "none")

    remove_all(runtime, desk.host_name, lambda info: (kept_until(directory(info)) or 0.0) > now)
    for path in desk.state.glob("*/tasks/*"):
        if (kept_until(path) or 0.0) <= now:
            _remove_tree(path)
    _remove_tree(desk.state / "prepare")


def _remove_tree(path: Path) -> None:
    """Remove a directory, also what the mapped users of a rootless Podman own in it; what stays goes another time."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists() and os.geteuid() != 0:
        command = ["podman", "unshare", "rm", "-rf", "--", str(path)]
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=UNSHARE_SECONDS, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("directory.not_removed", path=str(path), error=str(error))


def _options(desk: DeskDirectory, hub: DeskHub, keep_seconds: int) -> KojidOptions:
    return KojidOptions(
        server=hub.hub.url,
        topurl=hub.hub.topurl,
        topurls=(hub.hub.topurl,),
        topdir=str(hub.hub.topdir),
        workdir=str(desk.state / "work"),
        user=hub.host.user,
        password=hub.host.password,
        maxjobs=1,
        sleeptime=1,
        minspace=MIN_FREE_MB,
        failed_buildroot_lifetime=keep_seconds,
    )


def _shared(desk: DeskDirectory, options: KojidOptions, config: AdjutantConfig, runtime: ImageKeeper) -> SharedServices:
    """As the daemon has them, but for what all desks share: packages, and the last use of each prepared image."""
    desk.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    shared = SharedServices.create(options, config, runtime)
    common, section = desk.path.parent.parent, config.images.prepared
    prepared = PreparedImages(
        runtime,
        common / "prepared",
        max_bytes=section.max_bytes,
        max_age=section.max_age,
        # The repo of a directory of one build is never seen again.
        enabled=shared.prepared.enabled and desk.lasting,
    )
    return replace(
        shared,
        package_cache=PackageCache(common / "packages", PACKAGE_CACHE_BYTES),
        prepared=prepared,
        tools_images=ToolsImages(prepared, common / "tools"),
    )
