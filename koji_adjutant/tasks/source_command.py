"""The command that fetches what an SCM does not hold, run in the build root by the build user, with a network (contract 5.4).

The root itself has no network, so that rpmbuild has none. The command runs from a third container, which sees the root as
`tools` does, has a network, and is gone before code of the spec runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from koji_adjutant.buildroot import verdicts
from koji_adjutant.buildroot.pair import BUILDROOT, running
from koji_adjutant.buildroot.per_task import LOCALHOST
from koji_adjutant.buildroot.verdicts import Phase
from koji_adjutant.buildroot.wording import Operation
from koji_adjutant.container.interface import ContainerHandle, ContainerRunResult, ContainerSpec, MountAccess
from koji_adjutant.container.steps import BIN_DIR, StepStatus
from koji_adjutant.errors import ContainerError
from koji_adjutant.scm.credentials import Credentials
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.online_container import online_spec
from koji_adjutant.tasks.root_parts import RootParts
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
            self._give(where)
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

    def _spec(self) -> ContainerSpec:
        opened = self._opened
        task = opened.root.pair.task
        root, directory = task.name.removesuffix("-task"), self._context.directory / f"root-{opened.attempt}"
        request = RootParts(self._context).online(opened.plan, directory, root)
        mounts = () if self._copied else self._credentials.mounts
        return replace(online_spec(replace(request, mounts=mounts)), companion_of=task)

    @property
    def _copied(self) -> bool:
        """Whether the container was announced before there were credentials: then it gets them as files of the root."""
        return self._context.runtime.mount_access() is MountAccess.COPIED

    def _give(self, where: ContainerHandle) -> None:
        if self._copied:
            for mount in self._credentials.mounts:
                self._context.runtime.copy_to(where, Path(mount.source), BUILDROOT + mount.target)

    def _remove(self, where: ContainerHandle | None) -> None:
        runtime = self._context.runtime
        try:
            if where is not None:
                if self._copied and self._credentials.given:
                    paths = [BUILDROOT + mount.target for mount in self._credentials.mounts]
                    result = runtime.exec(where, [BUSYBOX, "rm", "-rf", *paths], timeout=SECONDS)
                    self._checked(result, f"credentials stay in the root that {where.name} sees")
                runtime.remove(where)
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
        self._checked(result, f"name resolution of {where.name} cannot be set")

    @staticmethod
    def _checked(result: ContainerRunResult, what: str) -> None:
        if result.exit_code:
            raise ContainerError(what, details=result.stderr[-2000:].decode("utf-8", "replace"))
