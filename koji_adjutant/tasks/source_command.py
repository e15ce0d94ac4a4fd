"""The command that fetches what an SCM does not hold, run in the build root by the build user, with a network (contract 5.4).

The root itself has no network, so that rpmbuild has none. The command runs from a third container, which sees the root as
`tools` does, has a network, and is gone before code of the spec runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from koji_adjutant.buildroot import verdicts
from koji_adjutant.buildroot.pair import BUILDROOT, running
from koji_adjutant.buildroot.per_task import LOCALHOST
from koji_adjutant.buildroot.verdicts import Phase
from koji_adjutant.buildroot.wording import Operation
from koji_adjutant.container.interface import ContainerHandle, ContainerSpec, MountKind, Network, VolumeMount
from koji_adjutant.container.steps import BIN_DIR, STEPS_DIR, StepStatus
from koji_adjutant.errors import ContainerError
from koji_adjutant.scm.credentials import Credentials
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.root_work import OpenRoot

BUSYBOX = f"{BIN_DIR}/busybox"
STEP = "source-command"
SECONDS = 120.0


class SourceCommand:
    """One command in one root. Used by the task's thread only."""

    def __init__(self, context: TaskContext, opened: OpenRoot) -> None:
        self._context = context
        self._opened = opened
        self._credentials = Credentials(
            context.directory / f"credentials-{STEP}-{opened.attempt}", context.options.scm_credentials_dir
        )

    def run(self, argv: Sequence[str], directory: str) -> None:
        """Run it in `directory` of the root, once over all daemons.

        Raises:
            BuildFault: "error retrieving sources, ...".
        """
        done = f"{STEP}-{self._opened.attempt}-done"
        if self._context.journal.done(done):
            return
        where = None
        try:
            self._credentials.copy()
            where = running(self._context.runtime, self._spec())
            self._resolver(where, online=True)
            status = self._opened.root.step_beside(
                where, STEP, argv, workdir=directory, timeout=self._opened.root.settings.rpmbuild_timeout
            )
            self._resolver(where, online=False)
        finally:
            if not self._context.interruption.event.is_set():
                self._remove(where)
        self._judge(status)
        self._context.journal.remember(done, lambda: True)

    def _remove(self, where: ContainerHandle | None) -> None:
        try:
            if where is not None:
                self._context.runtime.remove(where)
        finally:
            self._credentials.remove()

    def _judge(self, status: StepStatus) -> None:
        if not status.ok:
            operation = Operation.FETCH
            raise verdicts.failure(verdicts.judge(Phase.BUILD_SRPM, status, b"", operation=operation, arch="noarch"))

    def _resolver(self, where: ContainerHandle, *, online: bool) -> None:
        """Give the root the resolver of the container that has a network, or take it away again."""
        etc = f"{BUILDROOT}/etc"
        if online:
            script = f"cat /etc/resolv.conf > {etc}/resolv.conf && cat /etc/hosts > {etc}/hosts"
        else:
            script = f": > {etc}/resolv.conf && printf '%s' \"$1\" > {etc}/hosts"
        result = self._context.runtime.exec(
            where, [BUSYBOX, "sh", "-c", script, "sh", LOCALHOST.decode()], timeout=SECONDS
        )
        if result.exit_code:
            raise ContainerError(
                f"name resolution of {where.name} cannot be set",
                details=result.stderr[-2000:].decode("utf-8", "replace"),
            )

    def _spec(self) -> ContainerSpec:
        context, opened = self._context, self._opened
        directory = context.directory / f"root-{opened.attempt}"
        build = (("/builddir", "builddir"), ("/var/tmp", "tmp"), (context.options.chroot_tmpdir, "chroot_tmpdir"))  # noqa: S108
        profile = context.config.podman.seccomp_profile
        return ContainerSpec(
            name=f"{opened.root.pair.task.name.removesuffix('-task')}-online",
            image=opened.plan.tools.reference,
            command=(f"{BIN_DIR}/adjutant-runner", "pause"),
            labels=context.labels("online"),
            mounts=(
                VolumeMount(BIN_DIR, str(context.shared.static_dir)),
                VolumeMount(STEPS_DIR, str(directory / "steps"), read_only=False),
                *(VolumeMount(BUILDROOT + path, str(directory / name), read_only=False) for path, name in build),
                VolumeMount(f"{BUILDROOT}/proc", kind=MountKind.PROC, read_only=False),
                VolumeMount(f"{BUILDROOT}/dev", kind=MountKind.DEVICES, read_only=False),
                *(replace(mount, target=BUILDROOT + mount.target) for mount in self._credentials.mounts),
            ),
            limits=opened.plan.limits,
            network=Network.PRIVATE,
            userns=context.config.podman.userns,
            companion_of=opened.root.pair.task,
            companion_root=BUILDROOT,
            seccomp_profile=None if profile is None else str(profile),
        )
