"""`wrapperRPM`: packages around what Maven, Windows or image builds have made, by a spec template of an SCM (contract 4.5)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

import koji

from koji_adjutant.errors import ContainerError, Interrupted
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.build import RESUMED
from koji_adjutant.tasks.build_packages import BuiltPackages
from koji_adjutant.tasks.build_record import BuildRecord, move_to_scratch
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, RepoTag, repo_tag
from koji_adjutant.tasks.checkout import assert_source_allowed
from koji_adjutant.tasks.given_back import is_infrastructure
from koji_adjutant.tasks.kept_root import keep_failed_root
from koji_adjutant.tasks.mock_config import mock_config
from koji_adjutant.tasks.task_logs import TaskLogs
from koji_adjutant.tasks.wrapper_artifacts import find_wrapped
from koji_adjutant.tasks.wrapper_build import GROUP, WrapperBuild, WrapperRequest


class WrapperRPMTask(ThreadedTask):
    """Handles `wrapperRPM`."""

    Methods = ["wrapperRPM"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 1.5  # noqa: N815 - koji's name

    def checkHost(self, hostdata: Mapping[str, Any]) -> bool:  # noqa: N802 - koji's name
        """Whether an arch of the build tag is one of this host's (contract 4.0.7)."""
        tag = self.session.getBuildConfig(self.params[1]["build_tag"])
        if not tag or not tag["arches"]:
            return True
        wanted = {koji.canonArch(arch) for arch in tag["arches"].split()}
        return bool(wanted & set((hostdata["arches"] or "").split()))

    def handler(
        self,
        spec_url: str,
        build_target: Mapping[str, Any],
        build: Mapping[str, Any] | None,
        task: Mapping[str, Any] | None,
        opts: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Build; kojid's parameters, result and errors. A failing build is told as what it is, which kojid hides."""
        opts = opts or {}
        results = self._built(spec_url, build_target, build, task, opts)
        if opts.get("create_build") and opts.get("custom_user_metadata"):
            results["custom_user_metadata"] = opts["custom_user_metadata"]
        if not task:
            # Of its own; else the parent does it.
            self._deliver(results, build_target, build, opts)
        self.once("expired", lambda: self.session.host.setBuildRootState(results["buildroot_id"], "EXPIRED"))
        return results

    def _built(
        self,
        spec_url: str,
        target: Mapping[str, Any],
        build: Mapping[str, Any] | None,
        task: Mapping[str, Any] | None,
        opts: Mapping[str, Any],
    ) -> dict[str, Any]:
        if self.context.journal.done("result"):
            return dict(self.context.journal.result("result"))
        wrapped = find_wrapped(self.session, build, task)
        scm = assert_source_allowed(self, spec_url, scratch=opts.get("scratch"))
        build_tag = self.session.getTag(target["build_tag"], strict=True)
        repo = self._repo(build_tag, opts)
        host = self.session.host.getHost()
        arch = self.context.journal.remember("arch", lambda: self.find_arch("noarch", host, repo.config))
        record = BuildrootRecord(self, repo, koji.canonArch(arch))
        begun = BuildRecord(self) if opts.get("create_build") and not opts.get("scratch") else None
        with TaskLogs(self.context) as logs:
            record.create()
            config = mock_config(record.name, record.id, repo, arch, self.context.options, group=GROUP)
            logs.write("mock-config", "mock_config.log", lambda: config)
            request = WrapperRequest(scm, wrapped, target, dict(opts), begun)
            work = WrapperBuild(self, repo, record, logs, str(arch), request)
            try:
                return dict(self.once("result", work.run))
            except Interrupted:
                raise
            except BaseException as error:
                record.expire_failed()
                if begun is not None and _ends_build(error):
                    self._fail(begun)
                if not isinstance(error, ContainerError):
                    keep_failed_root(self.context)
                raise

    def _fail(self, begun: BuildRecord) -> None:
        if not self.context.journal.done("initBuild"):
            return
        begun.begin({})  # on record; a daemon that adopted the task has not asked for it yet
        if not begun.completed:
            begun.fail()

    def _repo(self, build_tag: Mapping[str, Any], opts: Mapping[str, Any]) -> RepoTag:
        repo_id = opts.get("repo_id") or self.once(
            "repo",
            lambda: self.getRepo(build_tag["id"], builds=opts.get("wait_builds"), wait=opts.get("wait_repo"))["id"],
        )
        return repo_tag(self.session, self.session.repoInfo(repo_id, strict=True), build_tag["id"], self.context.log)

    def _deliver(
        self, results: Mapping[str, Any], target: Mapping[str, Any], build: Any, opts: Mapping[str, Any]
    ) -> None:
        packages = _packages(self.context.upload_dir, results)
        if opts.get("scratch"):
            move_to_scratch(self, packages)
        elif opts.get("create_build"):
            self._complete(packages, target, opts)
        else:
            self.once(
                "importWrapperRPMs",
                lambda: self.session.host.importWrapperRPMs(self.id, build["id"], dict(results)),
                recover=lambda _: (bool(self.session.listBuildRPMs(build["id"])), None),
            )

    def _complete(self, packages: BuiltPackages, target: Mapping[str, Any], opts: Mapping[str, Any]) -> None:
        record = BuildRecord(self)
        record.begin({})  # on record since the source package was written
        if not record.completed:
            self._import(record, packages)
        if not opts.get("skip_tag"):
            arguments = [target["dest_tag"], record.id, False, None, True]
            child = self.session.host.subtask(
                method="tagBuild", arglist=arguments, label="tag", parent=self.id, arch="noarch"
            )
            self.wait(child)

    def _import(self, record: BuildRecord, packages: BuiltPackages) -> None:
        try:
            record.complete(packages)
        except BaseException as error:
            if _ends_build(error):
                record.fail()
            raise


def _ends_build(error: BaseException) -> bool:
    """Whether the build has failed: not where another run, here or on another host, goes on with it."""
    if isinstance(error, RESUMED):
        return False
    return not (isinstance(error, ContainerError) and is_infrastructure(error))


def _packages(directory: str, results: Mapping[str, Any]) -> BuiltPackages:
    srpm, *rpms = (posixpath.join(directory, name) for name in (results["srpm"], *results["rpms"]))
    logs = [posixpath.join(directory, name) for name in results["logs"]]
    buildroots = dict.fromkeys([srpm, *rpms], int(results["buildroot_id"]))
    return BuiltPackages(srpm, rpms, buildroots, {"noarch": logs})
