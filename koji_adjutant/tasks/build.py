"""`build`: source package, packages of each arch, import, tag; all of it by children (contract 4.1).

Begun again by another daemon, or anew after the task was freed, it finds its children by their labels and what it has
done at the hub by asking the hub.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import koji
from koji.daemon import SCM

from koji_adjutant.hub.rpm_header import SRPMHeader
from koji_adjutant.tasks import build_options
from koji_adjutant.tasks.arches import SourceArches, build_arches, task_arches
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.build_options import Aim
from koji_adjutant.tasks.build_packages import BuiltPackages, merge
from koji_adjutant.tasks.build_record import BuildRecord, move_to_scratch
from koji_adjutant.tasks.source_package import fetch_package


@dataclass(frozen=True)
class Plan:
    """What a build is made of once tags and repo are known; all of it as the hub gave it."""

    src: str
    from_scm: bool
    opts: Mapping[str, Any]
    aim: Aim
    repo_id: int
    event: int
    config: Mapping[str, Any]
    """Of the build tag at the event."""

    @property
    def scratch(self) -> bool:
        return bool(self.opts.get("scratch"))


class BuildTask(ThreadedTask):
    """Handles `build`. It mostly waits for other tasks."""

    Methods = ["build"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 0.2  # noqa: N815 - koji's name

    def handler(self, src: str, target: str | None, opts: Mapping[str, Any] | None = None) -> None:
        """Build; kojid's parameters, order of hub calls and errors."""
        plan = self._plan(src, target, opts or {})
        srpm, source = self._source(plan)
        header = self._read_header(srpm)
        config = self.session.getPackageConfig(plan.aim.dest_tag, header.name, event=plan.event)
        if not plan.aim.skip_tag and not plan.scratch:
            build_options.check_listed(header.name, config, plan.aim)
        arches = build_arches(
            plan.config,
            SourceArches.of(header),
            extra=config["extra_arches"] if config else None,
            override=plan.opts.get("arch_override"),
        )
        if plan.scratch:
            move_to_scratch(self, self._packages(plan, srpm, header, arches))
            return
        record = BuildRecord(self)
        record.begin(build_options.build_data(self.id, header, source, plan.opts))
        if not record.completed:
            self._build(record, plan, srpm, header, arches)
        if not plan.aim.skip_tag:
            arguments = [plan.aim.dest_tag, record.id, False, None, True]
            self.wait(self.subtask("tagBuild", arguments, label="tag", arch="noarch"))

    def _plan(self, src: str, target: str | None, opts: Mapping[str, Any]) -> Plan:
        build_options.check_arch_override(opts)
        repo = None
        if opts.get("repo_id") is not None:
            repo = build_options.check_repo(opts["repo_id"], self.session.repoInfo(opts["repo_id"]))
        build_options.check_metadata(opts)
        task = self.session.getTaskInfo(self.id)
        aim = self._aim(target, opts, repo)
        if not isinstance(src, str):
            raise koji.BuildError(f"Invalid source specification: {src}")
        from_scm = bool(SCM.is_scm_url(src))
        self.context.journal.remember("allowed", lambda: self._assert_policies(task, src, opts, aim, from_scm))
        if repo is None:
            # A daemon that adopts the task goes on with what this one has begun with.
            repo = self.once("repo", lambda: self._current_repo(aim, opts))
            event = self.context.journal.remember("event", lambda: self.session.getLastEvent()["id"])
        else:
            event = repo["create_event"]
        config = self.session.getBuildConfig(aim.build_tag, event=event)
        return Plan(src, from_scm, opts, aim, repo["id"], event, config)

    def _aim(self, target: str | None, opts: Mapping[str, Any], repo: Mapping[str, Any] | None) -> Aim:
        event = repo["create_event"] if repo else None
        skip_tag = bool(opts.get("skip_tag"))
        info = self.session.getBuildTarget(target, event=event) if target else None
        if info:
            return build_options.aim_of_target(info, repo, skip_tag=skip_tag)
        tag = self.session.getTag(target, event=event) if repo is not None and target is not None else None
        return build_options.aim_of_repo(target, repo, tag, skip_tag=skip_tag)

    def _assert_policies(
        self, task: Mapping[str, Any], src: str, opts: Mapping[str, Any], aim: Aim, from_scm: bool
    ) -> bool:
        data = build_options.policy_data(task, src, opts, aim, from_scm=from_scm)
        for name in build_options.policies(opts, from_scm=from_scm):
            self.session.host.assertPolicy(name, data)
        return True

    def _current_repo(self, aim: Aim, opts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a repo that is new enough, waiting for it in a child if need be."""
        repo: Mapping[str, Any] = self.getRepo(
            aim.build_tag, builds=opts.get("wait_builds"), wait=opts.get("wait_repo")
        )
        return repo

    def _source(self, plan: Plan) -> tuple[str, Mapping[str, Any] | None]:
        """Return the source package's path below work/, and where it comes from, as the child that made it says."""
        if not plan.from_scm and not build_options.rebuilds_srpm(plan.config, plan.opts):
            return plan.src, None
        method = "buildSRPMFromSCM" if plan.from_scm else "rebuildSRPM"
        arch = self._task_arch("noarch", plan, SourceArches())
        options = {"repo_id": plan.repo_id, "scratch": plan.opts.get("scratch")}
        child = self.subtask(method, [plan.src, plan.aim.build_tag, options], label="srpm", arch=arch)
        result = self.wait(child)[child]
        if "source" not in result:
            self.context.log.warning("build.source_unknown", child=child)
        return result["srpm"], result.get("source")

    def _read_header(self, srpm: str) -> SRPMHeader:
        path, header = fetch_package(self, srpm)
        # Only its header was wanted, and the task may wait for hours.
        path.unlink()
        if not header.is_source:
            raise koji.BuildError(f"{srpm} is not a source package")
        return header

    def _build(self, record: BuildRecord, plan: Plan, srpm: str, header: SRPMHeader, arches: list[str]) -> None:
        try:
            record.complete(self._packages(plan, srpm, header, arches))
        except BaseException as error:
            record.fail_with(error)
            raise

    def _packages(self, plan: Plan, srpm: str, header: SRPMHeader, arches: list[str]) -> BuiltPackages:
        """Build all arches in children; return what they have made."""
        children: dict[str, int] = {}
        for arch in arches:
            task_arch = self._task_arch(arch, plan, SourceArches.of(header))
            arguments = [srpm, plan.aim.build_tag, arch, not children, {"repo_id": plan.repo_id}]
            children[arch] = self.subtask("buildArch", arguments, label=arch, arch=task_arch)
        failany = bool(plan.opts.get("fail_fast")) or not self.options.build_arch_can_fail
        results = self.wait(list(children.values()), all=True, failany=failany)
        return merge(self.id, {arch: results[child] for arch, child in children.items()})

    def _task_arch(self, arch: str, plan: Plan, source: SourceArches) -> str:
        choices = task_arches(arch, plan.config, source, literal=self.options.literal_task_arches)
        return random.choice(choices)  # noqa: S311 - spreads tasks over hosts
