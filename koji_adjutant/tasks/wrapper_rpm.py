"""`wrapperRPM`: packages around what Maven, Windows or image builds have made, by a spec template of an SCM (contract 4.5)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from koji_adjutant.tasks.build_packages import BuiltPackages
from koji_adjutant.tasks.build_record import BuildRecord, move_to_scratch
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, RepoTag, repo_tag
from koji_adjutant.tasks.buildroot_task import BuildrootTask, Work
from koji_adjutant.tasks.checkout import assert_source_allowed
from koji_adjutant.tasks.given_back import ends_build
from koji_adjutant.tasks.task_logs import TaskLogs
from koji_adjutant.tasks.wrapper_artifacts import find_wrapped
from koji_adjutant.tasks.wrapper_build import GROUP, WrapperBuild, WrapperRequest


class WrapperRPMTask(BuildrootTask):
    """Handles `wrapperRPM`."""

    Methods = ["wrapperRPM"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 1.5  # noqa: N815 - koji's name
    root_key = "buildroot_id"

    def build_tag_asked(self) -> Any:
        """Return the build tag of the target."""
        return self.params[1]["build_tag"]

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
        results = self.earlier_result()
        if results is None:
            results = self._built(spec_url, build_target, build, task, opts)
        if opts.get("create_build") and opts.get("custom_user_metadata"):
            results["custom_user_metadata"] = opts["custom_user_metadata"]
        if not task:
            # Of its own; else the parent does it.
            self._deliver(results, build_target, build, opts)
        self.expire_root(results)
        return results

    def _built(
        self,
        spec_url: str,
        target: Mapping[str, Any],
        build: Mapping[str, Any] | None,
        task: Mapping[str, Any] | None,
        opts: Mapping[str, Any],
    ) -> dict[str, Any]:
        wrapped = find_wrapped(self.session, build, task)
        scm = assert_source_allowed(self, spec_url, scratch=opts.get("scratch"))
        build_tag = self.session.getTag(target["build_tag"], strict=True)
        repo = self._repo(build_tag, opts)
        arch = self.noarch_root_arch(repo.config)
        begun = BuildRecord(self) if opts.get("create_build") and not opts.get("scratch") else None

        def begin(record: BuildrootRecord, logs: TaskLogs) -> Work:
            return WrapperBuild(
                self, repo, record, logs, arch, WrapperRequest(scm, wrapped, target, dict(opts), begun)
            ).run

        def failed(error: BaseException) -> None:
            if begun is None:
                return
            if ends_build(error):
                self._fail(begun)
            else:
                self.context.given_up = lambda: self._fail(begun)

        return self.in_root(repo, arch, begin, group=GROUP, failed=failed)

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
            record.fail_with(error)
            raise


def _packages(directory: str, results: Mapping[str, Any]) -> BuiltPackages:
    srpm, *rpms = (posixpath.join(directory, name) for name in (results["srpm"], *results["rpms"]))
    logs = [posixpath.join(directory, name) for name in results["logs"]]
    buildroots = dict.fromkeys([srpm, *rpms], int(results["buildroot_id"]))
    return BuiltPackages(srpm, rpms, buildroots, {"noarch": logs})
