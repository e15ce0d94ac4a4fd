"""The root in which a source package is written: made of the group `srpm-build`, offline, its one package taken out.

What `rebuildSRPM` and `buildSRPMFromSCM` have in common (contract 4.1): everything but where the sources come from.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import koji

from koji_adjutant.buildroot import commands, verdicts
from koji_adjutant.buildroot.faults import RootFault
from koji_adjutant.buildroot.root import BUILD_LOG, Root
from koji_adjutant.buildroot.verdicts import Phase
from koji_adjutant.buildroot.wording import Operation
from koji_adjutant.container.steps import StepStatus
from koji_adjutant.hub.rpm_header import read_srpm_header
from koji_adjutant.tasks.build_results import artifact_store, put_environment
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, repo_tag
from koji_adjutant.tasks.buildroot_task import BuildrootTask, Work
from koji_adjutant.tasks.collect import Collector, list_results
from koji_adjutant.tasks.root_work import OpenRoot, RootWork
from koji_adjutant.tasks.task_logs import TaskLogs

GROUP = "srpm-build"
CHECKOUT_LOG = "checkout.log"
"""Uploaded, but no part of a result's `logs` (contract 4.1)."""
TAIL_BYTES = 64 << 10

Written = tuple[str, Mapping[str, str] | None]
"""What to call the place in kojid's sentences, and where the sources come from; None: the package itself says."""
Write = Callable[[OpenRoot, "SourceSteps", BuildrootRecord], Written]
"""Brings the sources into the root and runs rpmbuild; the record is the root's at the hub."""


class SourceSteps:
    """Commands of a source package in its root, each a durable step; a failure is said in kojid's words."""

    def __init__(self, opened: OpenRoot, logs: TaskLogs, spec_runs: Callable[[], None]) -> None:
        self.spec_runs = spec_runs
        """To be called before code of the package runs: from there on a failure may be its own."""
        self.logs = logs
        self._root = opened.root
        self._memory = opened.plan.limits.memory_bytes

    @contextmanager
    def state(self, what: str) -> Iterator[None]:
        """Write mock's lines around a part of the work; the last one also when it failed, not when it was interrupted."""
        self.logs.state(f"Start: {what}")
        try:
            yield
        except RootFault:
            self.logs.state(f"Finish: {what}")
            raise
        self.logs.state(f"Finish: {what}")

    def run(self, name: str, argv: list[str], *, log: str = BUILD_LOG) -> StepStatus:
        """Run a command as the build user; return its end, good or bad."""
        return self._root.build_step(name, argv, timeout=self._root.settings.rpmbuild_timeout, log=log)

    def must(self, name: str, argv: list[str], operation: Operation, *, log: str = BUILD_LOG) -> None:
        """Run a command that has to succeed.

        Raises:
            BuildFault, InfrastructureFault: it did not ("error building srpm, ...").
        """
        status = self.run(name, argv, log=log)
        if not status.ok or status.oom_kills:
            command = shlex.join(argv)
            self.logs.write(f"error-{name}", "mock_output.log", lambda: f"ERROR: Command failed: \n # {command}\n")
            raise verdicts.failure(
                verdicts.judge(
                    Phase.BUILD_SRPM,
                    status,
                    self.logs.tail(log, TAIL_BYTES),
                    operation=operation,
                    arch="noarch",
                    memory_limit=self._memory,
                )
            )


class SourcePackageTask(BuildrootTask):
    """Base of the tasks that write a source package."""

    _taskWeight = 1.0  # noqa: N815 - koji's name

    def write_package(
        self, build_tag: int | str, opts: Mapping[str, Any], write: Write, *, network: bool = False
    ) -> dict[str, Any]:
        """Return the task's result; `network` stands in mock_config.log.

        Raises:
            koji.BuildError, RootFault: kojid's texts.
        """
        if not opts.get("repo_id"):
            raise koji.BuildError("A repo id must be provided")
        result = self.earlier_result()
        if result is None:
            result = self._written(build_tag, opts["repo_id"], write, network=network)
        self.expire_root(result)
        return result

    def _written(self, build_tag: int | str, repo_id: int, write: Write, *, network: bool) -> dict[str, Any]:
        info = self.session.repoInfo(repo_id, strict=True)
        tag = self.session.getTag(build_tag, strict=True, event=info["create_event"])
        repo = repo_tag(self.session, info, tag["id"], self.context.log)
        arch = self.noarch_root_arch(repo.config)

        def begin(record: BuildrootRecord, logs: TaskLogs) -> Work:
            return self._work(RootWork(self.context, repo, record, logs, arch), record, logs, write)

        return self.in_root(repo, arch, begin, group=GROUP, network=network)

    def _work(self, work: RootWork, record: BuildrootRecord, logs: TaskLogs, write: Write) -> Work:
        def attempt(opened: OpenRoot) -> tuple[dict[str, Any], str]:
            place, source = write(opened, SourceSteps(opened, logs, work.spec_runs), record)
            srpm = self._take(opened.root, place)
            name = posixpath.basename(srpm)
            result = {"srpm": srpm, "brootid": record.id, "source": dict(source or {"source": name, "url": name})}
            return result, put_environment(self.context, opened.root, opened.plan, opened.prepared, record.id)

        def whole() -> dict[str, Any]:
            result, extra = work.run(GROUP, attempt)
            # Only now are the package manager's logs among them.
            uploaded = [*logs.finish(), extra]
            return {**result, "logs": sorted(log for log in uploaded if not log.endswith(f"/{CHECKOUT_LOG}"))}

        return whole

    def _take(self, root: Root, place: str) -> str:
        """Check and upload the one source package that was written; return its path below work/."""
        names = list_results(root).srpms
        if not names:
            raise koji.BuildError(f"No srpms found in {place}")
        if len(names) > 1:
            raise koji.BuildError(f"Multiple srpms found in {place}: {', '.join(names)}")
        config = self.context.config.build
        store = artifact_store(self.context)
        collector = Collector(root, store, self.context.directory / "results", config.result_max_bytes)
        local = collector.fetch(commands.SRPMS, names[0])
        try:
            expected = f"{read_srpm_header(local).nvr}.src.rpm"
            if expected != names[0]:
                raise koji.BuildError(f"srpm name mismatch: {expected} != {names[0]}")
            return store.put(local, names[0])
        finally:
            local.unlink(missing_ok=True)
