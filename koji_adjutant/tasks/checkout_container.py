"""The commands of one checkout, run in a container of their own with network, git and the rest (contract 5.4).

They are one durable step, whose output is checkout.log as kojid's is: `$ git clone ...` and what git says.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

import koji
from koji.daemon import SCM

from koji_adjutant.buildroot.step_logs import StepLogs
from koji_adjutant.container.interface import MountAccess, Network, ResourceLimits
from koji_adjutant.container.steps import StepEnd, StepStatus
from koji_adjutant.errors import CopyError, Interrupted
from koji_adjutant.scm.bounded import TOO_LARGE, CheckoutLimits, bounded
from koji_adjutant.scm.commands import CheckoutPlan
from koji_adjutant.scm.credentials import Credentials
from koji_adjutant.scm.environment import CREDENTIALS, checkout_environment, ssh_script
from koji_adjutant.scm.script import BUSYBOX, NO_PROGRAM, checkout_script, failed_command
from koji_adjutant.scm.tree_transfer import content_size
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.tree_fetch import fetch_tree, list_tree
from koji_adjutant.tasks.work_container import WORK, WorkContainer, WorkRequest

SCMROOT = "scmroot"
SCMDIR = f"{WORK}/{SCMROOT}"
"""Where everything is checked out to; kojid's directory of this name."""
_SSH = f"{WORK}/ssh"
_COMMIT_FILE = f"{WORK}/commit"
_LISTING = f"{WORK}/listing"
_COMMIT = re.compile(rb"[0-9a-f]{40,64}\n")


@dataclass(frozen=True)
class CheckoutJob:
    """What is checked out, and how its container and log are called."""

    scm: SCM
    plan: CheckoutPlan
    limits: CheckoutLimits
    image: str
    container: str
    """Name within the task."""
    log: str = "checkout.log"
    tag: str = ""
    """Name of the build tag."""

    @property
    def what(self) -> str:
        """Name the source in errors."""
        return f"{self.scm.host}:{self.scm.repository}"


class CheckoutContainer:
    """Runs one job. Used by the task's thread only."""

    def __init__(self, context: TaskContext, logs: StepLogs, job: CheckoutJob) -> None:
        self._context = context
        self._logs = logs
        self._job = job
        directory = context.directory / f"credentials-{job.container}"
        self._credentials = Credentials(directory, context.options.scm_credentials_dir)

    def run(self) -> tuple[Path, str]:
        """Check out; return the tree on this machine, its container gone, and git's HEAD ("" for the others).

        An interruption leaves the container to the next daemon, which finds its step as it is.

        Raises:
            koji.BuildError: in kojid's words where a command fails, naming the limit where one was reached.
            ContainerError: the container was lost, could not start, or has no answer.
        """
        job = self._job
        if self._credentials.given:
            self._context.log.info("checkout.credentials_given", directory=self._credentials.original)
        container = None
        try:
            files = self._credentials.copy()
            container = WorkContainer.open(self._context, self._logs, self._request())
            self._judge(self._check_out(container, ssh_script(files)))
            commit = self._commit(container) if job.plan.clone else ""
            if self._context.runtime.mount_access() is MountAccess.COPIED:
                self._fetch(container)
        except Interrupted:
            raise
        except BaseException:
            self._remove(container)
            raise
        # Before anybody looks at the tree: what a container holds may change while it lives.
        self._remove(container)
        return container.directory / SCMROOT, commit

    def _remove(self, container: WorkContainer | None) -> None:
        try:
            if container is not None:
                container.remove()
        finally:
            self._credentials.remove()

    def _request(self) -> WorkRequest:
        build = self._context.config.build
        return WorkRequest(
            name=self._job.container,
            image=self._job.image,
            tag=self._job.tag,
            network=Network.PRIVATE,
            mounts=self._credentials.mounts,
            limits=ResourceLimits(cpus=build.cpus, memory_bytes=build.memory, pids=build.pids, nofile=build.nofile),
        )

    def _check_out(self, container: WorkContainer, ssh: str) -> StepStatus:
        job = self._job
        script = checkout_script(
            job.plan, scmdir=SCMDIR, ssh=_SSH, ssh_text=ssh, commit=_COMMIT_FILE, limits=job.limits
        )
        home = CREDENTIALS if self._credentials.given else WORK
        return container.run(
            "checkout",
            bounded([BUSYBOX, "sh", "-c", script], WORK, job.limits),
            job.log,
            env=checkout_environment(job.scm, job.plan.env, home=home, ssh=_SSH),
            timeout=job.limits.seconds,
            header="",
        )

    def _judge(self, status: StepStatus) -> None:
        job = self._job
        if status.ok:
            return
        if status.exit_code == TOO_LARGE:
            raise self._ended(f"is larger than {job.limits.shown}")
        if status.end is StepEnd.TIMEOUT:
            raise self._ended(f"took longer than {job.limits.seconds:g} seconds")
        if status.exit_code == NO_PROGRAM:
            raise self._ended(f"needs {job.plan.module.argv[0]}, which image {job.image} has not")
        failed = failed_command(job.plan, status.exit_code)
        if failed is None:
            raise self._ended(f"was ended ({status.end}, exit code {status.exit_code}, signal {status.signal})")
        raise koji.BuildError(f'Error running {job.plan.kind} command "{failed.shown}", see {job.log} for details')

    def _ended(self, why: str) -> koji.BuildError:
        """Say in the log too why the checkout ended."""
        text = f"checkout of {self._job.what} {why}"
        self._logs.line(f"{self._job.container}-ended", self._job.log, lambda: f"{text}\n")
        return koji.BuildError(text)

    def _fetch(self, container: WorkContainer) -> None:
        """Bring the tree to where it would be if this machine saw the container's directory."""
        limits, entries = self._job.limits, list_tree(container, SCMDIR, _LISTING)
        if len(entries) > limits.max_files or content_size(entries) > limits.max_bytes:
            raise self._ended(f"is larger than {limits.shown}")
        try:
            fetch_tree(container, _LISTING, entries, container.directory / SCMROOT)
        except CopyError as error:
            if error.reason != "not-regular":
                raise
            raise self._ended(f"cannot be used: {error}") from error

    def _commit(self, container: WorkContainer) -> str:
        commit = io.BytesIO()
        container.copy_from(_COMMIT_FILE, commit, max_bytes=100)
        if not _COMMIT.fullmatch(commit.getvalue()):
            raise koji.GenericError("Error getting commit hash for git")
        return commit.getvalue().decode().strip()
