"""A container for a task's work that is not done in a build root: checkouts, repositories, templates.

It has the tools image's programs, one directory of the task's own at `/work`, what else its request mounts, and no network
unless asked for. Its commands are durable steps (design section 5): opened again by a daemon that adopts the task, the
same container and steps are found as they are. What it leaves in `/work` is as hostile as what it worked on.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from koji_adjutant.buildroot.commands import executing_line
from koji_adjutant.buildroot.host_files import HostFiles
from koji_adjutant.buildroot.pair import PROXY_DIR, running
from koji_adjutant.buildroot.repo_proxy import PROXY_PORT, PROXY_SOCKET
from koji_adjutant.buildroot.step_logs import StepLogs, step_footer
from koji_adjutant.container.image_policy import pull_policy, tools_image
from koji_adjutant.container.interface import (
    ContainerHandle,
    ContainerRunResult,
    ContainerSpec,
    CopiedFile,
    ImageInfo,
    Network,
    ResourceLimits,
    VolumeMount,
)
from koji_adjutant.container.step_service import ContainerSteps
from koji_adjutant.container.steps import BIN_DIR, STEPS_DIR, StepSpec, StepStatus
from koji_adjutant.tasks.context import TaskContext

WORK = "/work"
"""Where the container sees the directory of its own."""
ENVIRONMENT: Mapping[str, str] = {
    "HOME": WORK,
    "LANG": "C.UTF-8",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": "dumb",
}
"""The whole environment of a command that asks for none of its own."""
ASK_SECONDS = 120.0


@dataclass(frozen=True)
class WorkRequest:
    """What a container is made of. `name` (`[a-z0-9-]+`) is unique in the task and names its steps too."""

    name: str
    image: str
    """Reference of an image that is in the runtime's store: see `work_image`."""
    network: Network = Network.NONE
    mounts: Sequence[VolumeMount] = ()
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    relay: Path | None = None
    """Directory with the socket of a `RepoProxy`: the container's port `PROXY_PORT` leads to it, as its only way out."""


class WorkContainer:
    """One running container. Used by the task's thread only."""

    def __init__(self, context: TaskContext, handle: ContainerHandle, logs: StepLogs, name: str, base: Path) -> None:
        self.handle = handle
        self.directory = base / "work"
        """`/work` on this machine. Read it through `list_files` and `copy_from` only: its content is hostile."""
        self._context = context
        self._logs = logs
        self._name = name
        # A daemon without root cannot read what the mapped root of a user namespace keeps at mode 0700.
        visible = os.geteuid() == 0
        self._files = HostFiles(self.directory, WORK) if visible else None
        self._steps = ContainerSteps(context.runtime, handle, None, host_dir=base / "steps" if visible else None)

    @classmethod
    def open(cls, context: TaskContext, logs: StepLogs, request: WorkRequest) -> WorkContainer:
        """Create and start the container, or find it again.

        Raises:
            ImageError, RuntimeUnavailable: as the runtime says.
            ContainerLost: it ran before and has ended.
        """
        base = context.directory / f"work-{request.name}"
        for name, mode in (("steps", 0o700), ("work", 0o755)):
            if not (base / name).exists():
                (base / name).mkdir(parents=True)
                (base / name).chmod(mode)
        handle = running(context.runtime, _spec(context, request, base))
        context.progress.in_container(handle.name)
        return cls(context, handle, logs, request.name, base)

    def run(
        self,
        step: str,
        argv: Sequence[str],
        log: str,
        *,
        env: Mapping[str, str] = ENVIRONMENT,
        workdir: str = WORK,
        timeout: float = 86400.0,
        shown: Sequence[str] | None = None,
        header: str | None = None,
    ) -> StepStatus:
        """Run a command as a durable step, its output at the end of `log`. A step that ran is not run again.

        `shown` stands in the log for an `argv` that holds a secret; `header` stands there instead of what mock would write
        before and after the output.

        Raises:
            Interrupted, ContainerLost, OutOfMemory, RuntimeUnavailable, ContainerError: as `StepLogs.run`.
        """
        build = self._context.config.build
        spec = StepSpec(
            name=f"{self._name}-{step}",
            argv=argv,
            env=env,
            workdir=workdir,
            timeout=timeout,
            no_output_timeout=None if build.no_output_timeout is None else float(build.no_output_timeout),
            orphan_timeout=float(build.orphan_timeout),
            log_cap=build.log_cap,
            nofile=build.nofile,
        )
        if header is not None:
            return self._logs.run(self._steps, self.handle, spec, log, header=header)
        header = executing_line(list(argv if shown is None else shown), dict(env))
        return self._logs.run(self._steps, self.handle, spec, log, header=header, footer=step_footer)

    def ask(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = ASK_SECONDS) -> ContainerRunResult:
        """Run a short command and return its end and output; it may run twice."""
        return self._context.runtime.exec(self.handle, list(argv), env=ENVIRONMENT, stdin=stdin, timeout=timeout)

    def list_files(self, directory: str, *, max_entries: int = 20_000) -> list[CopiedFile]:
        """List a directory below `/work`, not following links; see `ContainerManager.list_files`."""
        if self._files is not None and self._files.covers(directory):
            return self._files.list(directory, max_entries=max_entries)
        return self._context.runtime.list_files(self.handle, directory, max_entries=max_entries)

    def copy_from(self, path: str, target: BinaryIO, *, max_bytes: int) -> int:
        """Copy one regular file out; see `ContainerManager.copy_from`."""
        if self._files is not None and self._files.covers(path):
            return self._files.copy_from(path, target, max_bytes=max_bytes)
        return self._context.runtime.copy_from(self.handle, path, target, max_bytes=max_bytes)

    def put(self, source: Path, path: str) -> None:
        """Write a file of this machine to `path`, whose directory exists."""
        if self._files is not None and self._files.covers(path):
            self._files.put(source, path)
        else:
            self._context.runtime.copy_to(self.handle, source, path)

    def remove(self) -> None:
        """Remove the container; safe to repeat. Its directory stays until the task's is removed."""
        self._context.runtime.remove(self.handle)


def work_image(context: TaskContext, *, tag_name: str = "", arch: str = "noarch") -> ImageInfo:
    """Return the image for work of this task, by the configuration's rules.

    Raises:
        ImageError: none is named, or it is not to be had.
    """
    images = context.config.images
    image = tools_image(images, tag=tag_name, arch=arch, method=context.method)
    found = context.runtime.ensure_image_available(image, pull_policy(images, image))
    context.progress.from_image(found.reference, found.digest)
    return found


def _spec(context: TaskContext, request: WorkRequest, base: Path) -> ContainerSpec:
    mounts = [
        VolumeMount(BIN_DIR, str(context.shared.static_dir)),
        VolumeMount(STEPS_DIR, str(base / "steps"), read_only=False, owned_by_container=True),
        VolumeMount(WORK, str(base / "work"), read_only=False, owned_by_container=True),
        *request.mounts,
    ]
    life = ["pause"]
    if request.relay is not None:
        mounts.append(VolumeMount(PROXY_DIR, str(request.relay), read_only=True))
        life = ["relay", str(PROXY_PORT), PROXY_SOCKET]
    profile = context.config.podman.seccomp_profile
    return ContainerSpec(
        # The start of the task's run keeps an earlier run's container of this host apart.
        name=f"adjutant-{context.identity.worker_label}-{context.task_id}-{int(context.start_ts)}-{request.name}",
        image=request.image,
        command=(posixpath.join(BIN_DIR, "adjutant-runner"), *life),
        labels=context.labels(f"work-{request.name}"),
        mounts=tuple(mounts),
        limits=request.limits,
        network=request.network,
        hostname="adjutant",
        workdir="/",
        userns=context.config.podman.userns,
        seccomp_profile=None if profile is None else str(profile),
    )
