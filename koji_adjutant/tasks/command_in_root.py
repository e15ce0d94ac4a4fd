"""One command in a fresh root, from the root's making to the command's end (contract 4.7): the work of `runroot`.

Logs named by `upload_logs` come out of the container, links not followed: the plugin takes them from the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import koji

from koji_adjutant.buildroot import dnf, verdicts
from koji_adjutant.buildroot.root import ROOT_LOG, Root
from koji_adjutant.buildroot.verdicts import Phase
from koji_adjutant.buildroot.wording import Operation
from koji_adjutant.container.steps import StepSpec, StepStatus
from koji_adjutant.errors import CopyError
from koji_adjutant.hub.names import plain_name
from koji_adjutant.hub.uploads import upload_file
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, RepoTag
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.host_volume import HostVolume, check_mounted
from koji_adjutant.tasks.root_parts import RootPlan
from koji_adjutant.tasks.root_work import OpenRoot, RootWork
from koji_adjutant.tasks.runroot_command import LOG, command_error, program_name, shell_command, success_text
from koji_adjutant.tasks.task_logs import TaskLogs

COMMAND_SECONDS = 30 * 86400.0
"""kojid sets no limit: composes take their time. A step that nobody follows ends much sooner."""
TAIL_BYTES = 64 << 10


@dataclass(frozen=True)
class RootCommand:
    """What to do in the root."""

    command: str | Sequence[str]
    packages: tuple[str, ...] = ()
    """Installed beside the group `build`."""
    uploads: tuple[str, ...] = ()
    """Files of the root to upload afterwards."""
    mounts: tuple[HostVolume, ...] = ()
    skip_setarch: bool = False


class CommandInRoot:
    """The part of a runroot between its buildroot's creation and its result. Used by the task's thread only."""

    def __init__(
        self,
        context: TaskContext,
        repo: RepoTag,
        record: BuildrootRecord,
        logs: TaskLogs,
        arch: str,
        request: RootCommand,
    ) -> None:
        self._context = context
        self._logs = logs
        self._request = request
        self._work = RootWork(context, repo, record, logs, arch)

    def run(self) -> str:
        """Run the command and return the task's result.

        Raises:
            koji.BuildrootError: the command, or the installation of its packages, did not succeed.
            koji.GenericError: a file that was to be uploaded is not there, or a mount is not the directory it was.
        """
        return self._work.run("build", self._do, network=True, adjust=self._with_mounts)

    def _with_mounts(self, plan: RootPlan) -> RootPlan:
        # Root of a namespace of its own can write to nothing of the host's: mounts that are to be written need host ids.
        writable = any(mount.source and not mount.read_only for mount in self._request.mounts)
        return replace(plan, mounts=self._request.mounts, host_ids=writable)

    def _do(self, opened: OpenRoot) -> str:
        if self._request.packages:
            self._install(opened)
        self._check_mounts(opened)
        self._work.spec_runs()
        return self._run_command(opened)

    def _check_mounts(self, opened: OpenRoot) -> None:
        """Once for each root: when its command runs already, its mounts were found to be right."""
        done = f"mounts-checked-{opened.attempt}"
        if not self._context.journal.done(done):
            check_mounted(self._context.runtime, opened.root.pair.task, self._request.mounts)
            self._context.journal.remember(done, lambda: True)

    def _install(self, opened: OpenRoot) -> None:
        root = opened.root
        argv = dnf.install(root.settings, root.layout, root.facts.manager, self._request.packages)
        status = root.package_step("install", argv)
        if status.ok:
            self._work.update_list(opened)
            return
        self._work.list_what_failed(opened)
        verdict = verdicts.judge(
            Phase.BUILDDEP,
            status,
            self._logs.tail(ROOT_LOG, TAIL_BYTES),
            operation=Operation.INIT,
            arch=root.settings.arch,
        )
        text = f"--install {' '.join(self._request.packages)} exited with status {verdict.mock_status}"
        raise verdicts.failure(replace(verdict, text=text, koji_class="BuildrootError"))

    def _run_command(self, opened: OpenRoot) -> str:
        argv = shell_command(self._request.command)
        self._logs.state(f"Start: chroot {argv}")
        status = self._step(opened, argv)
        self._logs.state(f"Finish: chroot {argv}")
        if not self._logs.spool.size(LOG):
            self._upload_empty()
        program = program_name(self._request.command)
        for path in self._request.uploads:
            self._upload(opened.root, path, needed=status.ok)
        if not status.ok:
            raise command_error(program, status, opened.plan.limits.memory_bytes)
        return success_text(program)

    def _step(self, opened: OpenRoot, argv: Sequence[str]) -> StepStatus:
        build, settings, pair = self._context.config.build, opened.plan.settings, opened.root.pair
        spec = StepSpec(
            name="command" if opened.attempt == 1 else f"a{opened.attempt}-command",
            argv=argv,
            env=settings.env,
            timeout=COMMAND_SECONDS,
            orphan_timeout=float(build.orphan_timeout),
            log_cap=build.log_cap,
            nofile=build.nofile,
            personality=None if self._request.skip_setarch else settings.personality,
        )
        return self._logs.steps.run(pair.steps, pair.task, spec, LOG)

    def _upload_empty(self) -> None:
        """Let runroot.log be there, as the plugin's is, although there is nothing in it."""
        local = self._context.directory / LOG
        local.touch()
        try:
            upload_file(self._context.session, local, self._context.upload_dir)
        finally:
            local.unlink(missing_ok=True)

    def _upload(self, root: Root, path: str, *, needed: bool) -> None:
        """Upload a file of the root. One that cannot be had fails the task, but not in place of the command's own failure."""
        local = self._context.directory / "upload"
        try:
            name = self._name_at_hub(path)
            with local.open("wb") as stream:
                self._context.runtime.copy_from(
                    root.pair.task, path, stream, max_bytes=self._context.config.build.result_max_bytes
                )
            upload_file(self._context.session, local, self._context.upload_dir, name)
        except CopyError as error:
            self._context.log.warning("runroot.log_not_uploaded", path=path, error=str(error))
            if needed:
                raise koji.GenericError(f"{path} cannot be uploaded: {error}") from error
        finally:
            local.unlink(missing_ok=True)

    def _name_at_hub(self, path: str) -> str:
        name = Path(path).name
        if not plain_name(name):
            raise CopyError(f"{name!r} is no name for a file at the hub", reason="not-regular")
        # The task's own logs are not replaced by a file of the root.
        return f"root-{name}" if name in self._logs.spool.names() else name
