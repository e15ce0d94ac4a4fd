"""`maven`: a Maven build as the hub knows it, made of the work of its child `buildMaven` (contract 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import koji
import koji.tasks

from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.build_record import BuildRecord

PASSED_ON = (
    "goals",
    "profiles",
    "properties",
    "envs",
    "patches",
    "packages",
    "jvm_options",
    "maven_options",
    "deps",
    "scratch",
)


class MavenTask(ThreadedTask, koji.tasks.MultiPlatformTask):
    """Handles `maven`. It mostly waits for children, which it finds again by their labels."""

    Methods = ["maven"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 0.2  # noqa: N815 - koji's name

    def handler(self, url: str, target: int | str, opts: Mapping[str, Any] | None = None) -> None:
        """Build; kojid's parameters and errors."""
        opts = opts or {}
        info = self.session.getBuildTarget(target)
        if not info:
            raise koji.BuildError(f"unknown build target: {target}")
        dest = self.session.getTag(info["dest_tag"], strict=True)
        build_tag = self.session.getTag(info["build_tag"], strict=True)
        repo_id = self.once("repo", lambda: self._repo(build_tag, opts))
        arguments = {key: opts[key] for key in PASSED_ON if key in opts} | {"repo_id": repo_id}
        child = self.subtask("buildMaven", [url, build_tag, arguments], label="build", arch="noarch")
        results = {**self.wait(child)[child], "task_id": child}
        record = BuildRecord(self)
        build = None if opts.get("scratch") else self._begin(record, results["maven_info"], dest, opts)
        try:
            self._deliver(results, record, build, info, opts, repo_id)
        except BaseException as error:
            if build is not None:
                record.fail_with(error)
            raise
        if build is not None and not opts.get("skip_tag"):
            arguments_of_tag = [dest["id"], record.id, False, None, True]
            self.wait(self.subtask("tagBuild", arguments_of_tag, label="tag", arch="noarch"))

    def _repo(self, build_tag: Mapping[str, Any], opts: Mapping[str, Any]) -> int:
        if opts.get("repo_id"):
            return int(opts["repo_id"])
        repo = self.session.getRepo(build_tag["id"])
        if not repo:
            raise koji.BuildError(f"no repo for tag {build_tag['name']}")
        return int(repo["id"])

    def _begin(
        self, record: BuildRecord, maven_info: dict[str, Any], dest: Mapping[str, Any], opts: Mapping[str, Any]
    ) -> dict[str, Any]:
        if maven_info["version"].endswith("-SNAPSHOT"):
            raise koji.BuildError("-SNAPSHOT versions are only supported in scratch builds")
        build = koji.maven_info_to_nvr(maven_info)
        if not opts.get("skip_tag"):
            config = self.session.getPackageConfig(dest["id"], build["name"])
            if config is None:
                raise koji.BuildError(f"package {build['name']} not in list for tag {dest['name']}")
            if config["blocked"]:
                raise koji.BuildError(f"package {build['name']} is blocked for tag {dest['name']}")
        begun: dict[str, Any] = self.once(
            "initMavenBuild",
            lambda: self.session.host.initMavenBuild(self.id, build, maven_info),
            recover=lambda _: self._begun(build["name"]),
        )
        record.id = int(begun["id"])
        return begun

    def _begun(self, name: str) -> tuple[bool, Any]:
        """Find the build that an earlier run of the daemon has begun; each call makes another release."""
        building = koji.BUILD_STATES["BUILDING"]
        for row in self.session.listBuilds(taskID=self.id, state=building):
            if row["name"] == name:
                return True, self.session.getBuild(row["build_id"], strict=True)
        return False, None

    def _deliver(
        self,
        results: dict[str, Any],
        record: BuildRecord,
        build: Mapping[str, Any] | None,
        target: Mapping[str, Any],
        opts: Mapping[str, Any],
        repo_id: int,
    ) -> None:
        host = self.session.host
        rpms = None
        if opts.get("specfile"):
            rpms = self.buildWrapperRPM(opts["specfile"], results["task_id"], target, build, repo_id)
        if build is None:
            self.once("moveMavenBuildToScratch", lambda: self._move(results, rpms))
        else:
            complete = koji.BUILD_STATES["COMPLETE"]
            self.once(
                "completeMavenBuild",
                lambda: host.completeMavenBuild(self.id, record.id, results, rpms),
                recover=lambda _: (self.session.getBuild(record.id, strict=True)["state"] == complete, None),
            )

    def _move(self, results: dict[str, Any], rpms: dict[str, Any] | None) -> None:
        try:
            self.session.host.moveMavenBuildToScratch(self.id, results, rpms)
        except koji.GenericError as error:
            # All files move in one call, and nobody else writes there: an earlier run of the daemon has done it.
            if not (str(error).startswith("Destination exists: ") and f"/task_{self.id}/" in str(error)):
                raise
            self.context.log.info("build.moved_before", error=str(error))
