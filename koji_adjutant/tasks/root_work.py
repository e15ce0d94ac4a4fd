"""Work in a task's root over all attempts: opened, set up, made known to the hub, and begun anew where a failure allows.

What is done in the root is the caller's; this is what comes before it and between two attempts (design section 7, Verdicts).
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from koji_adjutant.buildroot.host_report import LOG_NAME as HW_INFO_LOG
from koji_adjutant.buildroot.host_report import hw_info_command
from koji_adjutant.buildroot.per_task import WORK_DIRECTORIES, per_task_files
from koji_adjutant.buildroot.provenance import Provenance, buildroot_list
from koji_adjutant.buildroot.root import DNF_LOGS, Root
from koji_adjutant.container.interface import ImageInfo, MountAccess
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import ContainerError, HubError, RuntimeUnavailable, SessionLost
from koji_adjutant.metrics import PHASE_SECONDS
from koji_adjutant.tasks.attempts import Retry, backoff, retry
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, RepoTag
from koji_adjutant.tasks.collect import copy_optional
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.root_parts import RootPlan
from koji_adjutant.tasks.rpm_root import RootOpener
from koji_adjutant.tasks.task_logs import TaskLogs
from koji_adjutant.tracing import span

Result = TypeVar("Result")
AWAY_SECONDS = 5.0
"""Between two looks at a cluster whose API server does not answer."""
OF_RUNTIME = frozenset({"/etc/hosts", "/etc/resolv.conf"})
"""In a root with a network the runtime provides them, fit for its network."""


def _as_it_is(plan: RootPlan) -> RootPlan:
    return plan


def _nothing(_: Root) -> None:
    """Bring nothing."""


@dataclass(frozen=True)
class OpenRoot:
    """A root that is filled, set up and listed at the hub, in state BUILDING."""

    root: Root
    plan: RootPlan
    prepared: ImageInfo | None
    attempt: int


class RootWork:
    """The root of one task. Used by the task's thread only."""

    def __init__(self, context: TaskContext, repo: RepoTag, record: BuildrootRecord, logs: TaskLogs, arch: str) -> None:
        self._context = context
        self._repo = repo
        self._record = record
        self._logs = logs
        self._arch = arch
        self._opener = RootOpener(context, logs)

    def run(
        self,
        group: str,
        work: Callable[[OpenRoot], Result],
        *,
        network: bool = False,
        adjust: Callable[[RootPlan], RootPlan] = _as_it_is,
        bring: Callable[[Root], None] = _nothing,
    ) -> Result:
        """Do `work` in a root of that group, as often as the failures allow; return what it returns.

        `work` marks by `spec_runs` that code of the package is about to run. `adjust` has the last word about the plan,
        `bring` puts what the work needs into each new root, while that is looked at.
        """
        try:
            plan = adjust(self._opener.plan(self._repo, self._arch, group=group, network=network))
            attempt = 1
            while True:
                if not self._context.journal.done(f"attempt-{attempt}-over"):
                    try:
                        return self._attempt(plan, attempt, work, bring)
                    except ContainerError as error:
                        if self._waits_for_runtime(error):
                            # As a daemon that adopts the task would: what is there is found again.
                            continue
                        self._give_up(error, attempt)
                attempt += 1
        finally:
            self._opener.close()

    def spec_runs(self) -> None:
        """Note that from here on a failure may be the package's own."""
        self._context.journal.remember("spec-runs", lambda: True)

    def _waits_for_runtime(self, error: ContainerError) -> bool:
        """Wait a little, and say so, where all hosts share a runtime that does not answer: no other host could do better."""
        if not isinstance(error, RuntimeUnavailable) or self._context.runtime.mount_access() is not MountAccess.COPIED:
            return False
        self._logs.note(f"waits for the cluster: {error.brief}")
        self._context.interruption.sleep(AWAY_SECONDS)
        return True

    def _give_up(self, error: ContainerError, attempt: int) -> None:
        """End an attempt so that the next one may begin, or raise its error again if there shall be none."""
        journal = self._context.journal
        decision = retry(error, attempt, spec_ran=journal.done("spec-runs"), lost_before=journal.done("lost-once"))
        if decision is Retry.NO:
            raise error
        if decision is Retry.LAST:
            journal.remember("lost-once", lambda: True)
        self._context.log.warning("root.retried", attempt=attempt, reason=error.reason, error=str(error))
        if self._context.runtime.mount_access() is MountAccess.COPIED:
            # Of a container elsewhere nobody on this machine can tell what became of it.
            self._logs.note(f"attempt {attempt} has failed, another follows: {error}")
        journal.remember(f"attempt-{attempt}-over", lambda: True)
        for role in ("online", "tools", "task"):
            for info in self._context.runtime.list_managed(self._context.labels(role)):
                self._context.runtime.remove(info.handle)
        self._context.interruption.sleep(backoff(attempt))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a part of the work; `name` is one of few (docs/metrics.md)."""
        began = time.monotonic()
        self._context.progress.enter(name)
        try:
            with span(f"phase {name}", method=self._context.method, phase=name):
                yield
        finally:
            PHASE_SECONDS.labels(self._context.method, name).observe(time.monotonic() - began)

    def _attempt(
        self,
        plan: RootPlan,
        attempt: int,
        work: Callable[[OpenRoot], Result],
        bring: Callable[[Root], None],
    ) -> Result:
        logs = self._logs
        logs.state("Start: chroot init")
        with self.phase("root"):
            root, prepared = self._opener.open(plan, attempt, lambda root: self._set_up(root, plan, attempt, bring))
        logs.state("Finish: chroot init")
        self._describe_machine(root)
        if not self._context.journal.done("setBuildRootList"):
            self._list(root, plan)
        self._record.building()
        try:
            with self.phase("work"):
                return work(OpenRoot(root, plan, prepared, attempt))
        finally:
            self._keep_dnf_logs(root)

    def _set_up(self, root: Root, plan: RootPlan, attempt: int, bring: Callable[[Root], None]) -> None:
        journal = self._context.journal
        machine_id = journal.remember("machine-id", lambda: uuid.uuid4().hex)
        if not journal.done(f"set-up-{attempt}"):
            files = per_task_files(plan.settings, machine_id=machine_id)
            ours = [file for file in files if not plan.settings.network or file.path not in OF_RUNTIME]
            root.set_up(ours, WORK_DIRECTORIES)
            bring(root)
            journal.remember(f"set-up-{attempt}", lambda: True)

    def _describe_machine(self, root: Root) -> None:
        self._logs.state("Start: chroot ['uname -r']")
        elsewhere = self._context.runtime.mount_access() is MountAccess.COPIED
        self._logs.write("uname", "mock_output.log", lambda: _release(root) if elsewhere else f"{os.uname().release}\n")
        self._logs.state("Finish: chroot ['uname -r']")
        report = self._context.shared.hardware
        # Elsewhere each root may be on another machine.
        machine = root.pair.task.id if elsewhere else ""
        self._logs.write("hw-info", HW_INFO_LOG, lambda: report.get(machine, lambda: _hardware(root)))

    def update_list(self, opened: OpenRoot) -> None:
        """Tell the hub what the root holds by now; once in each attempt."""
        self._record.update_list(self._entries(opened.root, opened.plan), opened.attempt)

    @contextmanager
    def listed_after(self, opened: OpenRoot) -> Iterator[None]:
        """Tell the hub what the root holds after the work within, also after one that failed."""
        try:
            yield
        except BaseException:
            self.list_what_failed(opened)
            raise
        self.update_list(opened)

    def list_what_failed(self, opened: OpenRoot) -> None:
        """Tell the hub what the root holds after work in it has failed: that failure counts, not one of this."""
        if self._context.interruption.event.is_set():
            return
        try:
            self.update_list(opened)
        except SessionLost:
            raise
        except (ContainerError, HubError, OSError) as error:
            # A dead container, a hub that is away, a disk that the work has filled.
            self._context.log.warning("buildroot.final_contents_unknown", error=str(error))

    def provenance(self, opened: OpenRoot) -> Provenance:
        """Return what repository and hub say about packages of the root's repo."""
        return self._opener.provenance(opened.plan)

    def _list(self, root: Root, plan: RootPlan) -> None:
        self._record.set_list(self._entries(root, plan))

    def _entries(self, root: Root, plan: RootPlan) -> list[dict[str, Any]]:
        entries, warnings = buildroot_list(root.installed(), self._opener.provenance(plan))
        for warning in warnings:
            self._context.log.warning("buildroot.unknown_origin", note=warning)
        return entries

    def _keep_dnf_logs(self, root: Root) -> None:
        """Take the package manager's own logs along, also when the work has failed."""
        if self._context.interruption.event.is_set():
            return
        try:
            for name in DNF_LOGS:
                self._logs.write(f"copied-{name}", name, partial(self._dnf_log, root, name))
        except (ContainerError, OSError) as error:
            # The work's own end is what counts; a dead container or a full disk is told by it.
            self._context.log.warning("root.logs_lost", error=str(error))

    def _dnf_log(self, root: Root, name: str) -> str:
        data = b""
        if root.package_manager_ran or self._context.adopted:
            cap = self._context.config.build.log_cap
            data = copy_optional(self._context.runtime, root.pair.tools, f"{root.layout.logs}/{name}", cap)
        return data.decode("utf-8", "replace") or "the package manager was not needed: see root.log\n"


def _release(root: Root) -> str:
    _, output = root.ask_tools([f"{BIN_DIR}/busybox", "uname", "-r"])
    return output.decode("utf-8", "replace")


def _hardware(root: Root) -> str:
    _, output = root.ask_tools(hw_info_command(root.layout.root, "/"))
    return output.decode("utf-8", "replace")
