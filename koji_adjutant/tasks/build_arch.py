"""`buildArch`: one source package becomes binary packages of one arch (contract 4.1; design section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import koji
import koji.util

from koji_adjutant.buildroot import commands
from koji_adjutant.buildroot.rpm_build import BuildRequest, RpmBuild
from koji_adjutant.tasks.build_results import BuildResults
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, repo_tag
from koji_adjutant.tasks.buildroot_task import BuildrootTask, Work
from koji_adjutant.tasks.root_work import OpenRoot, RootWork
from koji_adjutant.tasks.source_package import fetch_source_package
from koji_adjutant.tasks.task_logs import TaskLogs


class BuildArchTask(BuildrootTask):
    """Handles `buildArch`."""

    Methods = ["buildArch"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 1.5  # noqa: N815 - koji's name

    def handler(
        self, pkg: str, root: int | str, arch: str, keep_srpm: bool, opts: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Build; kojid's parameters, order of hub calls, result and errors."""
        repo_id = (opts or {}).get("repo_id")
        if not repo_id:
            raise koji.BuildError("A repo id must be provided")
        result = self.earlier_result()
        if result is None:
            result = self._built(pkg, root, arch, repo_id, keep_srpm=bool(keep_srpm))
        self.expire_root(result)
        return result

    def _built(self, pkg: str, root: int | str, arch: str, repo_id: int, *, keep_srpm: bool) -> dict[str, Any]:
        repo_info = self.session.repoInfo(repo_id, strict=True)
        srpm, header = fetch_source_package(self, pkg)
        self._update_weight(header.name)
        tag = self.session.getBuildConfig(root, event=repo_info["create_event"])
        br_arch = self._concrete_arch(arch, tag)
        repo = repo_tag(self.session, repo_info, root, self.context.log)

        def begin(record: BuildrootRecord, logs: TaskLogs) -> Work:
            work = RootWork(self.context, repo, record, logs, br_arch)
            build = _Build(self, work, record, srpm, arch)
            return lambda: build.run(logs, keep_srpm=keep_srpm)

        return self.in_root(repo, br_arch, begin)

    def _update_weight(self, name: str) -> None:
        """Weigh the task by what building the package took so far (contract 2.5)."""
        average = self.session.getAverageBuildDuration(name, age=6)
        if average is not None and average < 0:
            self.context.log.warning("build.negative_duration", package=name, average=average)
        elif average:
            self.session.host.setTaskWeight(self.id, self.weight() + min(18.0, average / 4800.0))

    def _concrete_arch(self, arch: str, tag: Mapping[str, Any]) -> str:
        host = self.session.host.getHost()
        preferred = self.session.getTaskInfo(self.id)["arch"] if arch == "noarch" else None
        # A random choice among equals must be the same one after an adoption.
        return str(
            self.context.journal.remember("arch", lambda: self.find_arch(arch, host, tag, preferred_arch=preferred))
        )


class _Build:
    """The part of a buildArch between its buildroot's creation and its result."""

    def __init__(self, task: BuildArchTask, work: RootWork, record: BuildrootRecord, srpm: Path, arch: str) -> None:
        self._context = task.context
        self._work = work
        self._record = record
        self._srpm = srpm
        self._arch = arch

    def run(self, logs: TaskLogs, *, keep_srpm: bool) -> dict[str, Any]:
        """Build and collect, as often as the failures allow; return the result of the task."""
        result, extra_logs = self._work.run(
            "build",
            lambda opened: self._build(opened, logs, keep_srpm=keep_srpm),
            # kojid hands mock the task's arch as it is: with noarch also %_target and %_arch are noarch.
            adjust=lambda plan: replace(plan, settings=replace(plan.settings, rpmbuild_target=self._arch)),
            bring=lambda root: root.put(self._srpm, commands.original(self._srpm.name)),
        )
        return {**result, "logs": sorted([*logs.finish(), *extra_logs])}

    def _build(self, opened: OpenRoot, logs: TaskLogs, *, keep_srpm: bool) -> tuple[dict[str, Any], list[str]]:
        self._work.spec_runs()
        request = BuildRequest(
            self._srpm.name,
            self._arch,
            opened.plan.limits.memory_bytes,
            directory=self._context.directory,
            minspace=self._context.options.minspace << 20,
        )
        build = RpmBuild(opened.root, request, logs)
        with self._work.listed_after(opened):
            build.run()
        logs.state("Finish: run")
        results = BuildResults(self._context, opened.root, opened.plan, opened.prepared, build, self._record.id)
        with self._work.phase("results"):
            return results.collect(keep_srpm=keep_srpm), results.extra_logs
