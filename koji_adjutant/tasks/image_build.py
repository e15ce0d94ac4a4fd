"""A build of images: a child for each arch, import, tag (contract 4.6). What `kiwiBuild` and `livemedia` have in common.

Begun again by another daemon, or anew after the task was freed, it finds its children by their labels and its build at the hub.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import koji

from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.build_record import BuildRecord


@dataclass(frozen=True)
class ImagePlan:
    """What is to be built. `arguments` are the child's for an arch and the release."""

    name: str
    version: str
    target: Mapping[str, Any]
    repo_id: int
    arches: Sequence[str]
    opts: Mapping[str, Any]
    method: str
    label: Callable[[str], str]
    arguments: Callable[[str, str], list[Any]]

    @property
    def scratch(self) -> bool:
        return bool(self.opts.get("scratch"))

    @property
    def optional(self) -> Sequence[str]:
        """Arches that may fail as long as one does not."""
        return self.opts.get("optional_arches") or ()


def tag_arches(config: Mapping[str, Any], asked: Sequence[str] | None) -> list[str]:
    """Return the arches to build for, each once: those asked for, or else the tag's.

    Raises:
        koji.BuildError: kojid's texts.
    """
    if not config["arches"]:
        raise koji.BuildError(f"No arches for tag {config['name']} [{config['id']}]")
    known = [str(koji.canonArch(arch)) for arch in config["arches"].split()]
    for arch in asked or ():
        if koji.canonArch(arch) not in known:
            raise koji.BuildError(f"Invalid arch for build tag: {arch}")
    return list(dict.fromkeys(asked or known))


class ImageBuildTask(ThreadedTask):
    """Base of the handlers. They mostly wait for other tasks."""

    report_word = "image"
    """What the result calls the build."""

    def build_images(self, plan: ImagePlan) -> str:
        """Build, import, tag; return kojid's result."""
        record = BuildRecord(self)
        build = None if plan.scratch else self._begin(record, plan)
        children = {} if record.completed else self._build(record, plan, build)
        if build is not None and not plan.opts.get("skip_tag"):
            arguments = [plan.target["dest_tag"], record.id, False, None, True]
            self.wait(self.subtask("tagBuild", arguments, label="tag", arch="noarch"))
        paths = koji.PathInfo(self.options.topdir)
        if build is None:
            where = ", ".join(posixpath.join(paths.work(), paths.taskrelpath(child)) for child in children.values())
            return f"Scratch {self.report_word} build results in: {where}"
        return f"{self.report_word} build results in: {paths.imagebuild(build)}"

    def _begin(self, record: BuildRecord, plan: ImagePlan) -> dict[str, Any]:
        """Make the build, or find the one that this task has made: without a release, each call makes another."""
        tag = plan.target["dest_tag_name"]
        config = self.session.getPackageConfig(tag, plan.name)
        if not plan.opts.get("skip_tag"):
            if config is None:
                raise koji.BuildError(f"package (image) {plan.name} not in list for tag {tag}")
            if config["blocked"]:
                raise koji.BuildError(f"package (image)  {plan.name} is blocked for tag {tag}")
        data = {"name": plan.name, "version": plan.version, "release": plan.opts.get("release"), "epoch": 0}
        begun: dict[str, Any] = self.once(
            "initImageBuild",
            lambda: self._begun(plan.name) or self.session.host.initImageBuild(self.id, data),
            recover=lambda _: ((found := self._begun(plan.name)) is not None, found),
        )
        record.id = int(begun["id"])
        record.completed = begun.get("state") == koji.BUILD_STATES["COMPLETE"]
        return begun

    def _begun(self, name: str) -> dict[str, Any] | None:
        states = {koji.BUILD_STATES["BUILDING"], koji.BUILD_STATES["COMPLETE"]}
        for row in self.session.listBuilds(taskID=self.id):
            if row["name"] == name and row["state"] in states:
                found = self.session.getBuild(row["build_id"], strict=True)
                # What a journal can hold; times are of no use here.
                return {
                    key: found[key] for key in ("id", "name", "version", "release", "epoch", "state", "volume_name")
                }
        return None

    def _build(self, record: BuildRecord, plan: ImagePlan, build: Mapping[str, Any] | None) -> dict[str, int]:
        """Build each arch and deliver; return the children by arch."""
        try:
            release = build["release"] if build is not None else self._scratch_release(plan)
            children = {
                arch: self.subtask(plan.method, plan.arguments(arch, release), label=plan.label(arch), arch=arch)
                for arch in plan.arches
            }
            results = self._results(plan, children)
            if plan.opts.get("specfile"):
                self._wrap(plan, build, {arch: results[child] for arch, child in children.items()}, children)
            self._deliver(record, {str(child): result for child, result in results.items()}, build)
        except BaseException as error:
            if build is not None:
                record.fail_with(error)
            raise
        return children

    def _scratch_release(self, plan: ImagePlan) -> str:
        asked = plan.opts.get("release")
        if asked:
            return str(asked)
        return str(
            self.once("release", lambda: self.session.getNextRelease({"name": plan.name, "version": plan.version}))
        )

    def _results(self, plan: ImagePlan, children: Mapping[str, int]) -> dict[int, Any]:
        can_fail = [child for arch, child in children.items() if arch in plan.optional]
        results = self.wait(list(children.values()), all=True, failany=True, canfail=can_fail)
        if all(_failed(result) for result in results.values()):
            raise koji.GenericError("all subtasks failed")
        return results

    def _wrap(
        self,
        plan: ImagePlan,
        build: Mapping[str, Any] | None,
        results: Mapping[str, dict[str, Any]],
        children: Mapping[str, int],
    ) -> None:
        """Have a package made around each image; its result goes into the image's."""
        wrappers = {}
        for arch, result in results.items():
            if _failed(result):
                continue
            info = self.session.getTaskInfo(children[arch])
            arguments = [plan.opts["specfile"], plan.target, build, info, {"repo_id": plan.repo_id}]
            wrappers[arch] = self.subtask("wrapperRPM", arguments, label=f"wrapper {arch}", arch="noarch")
        made = self.wait(list(wrappers.values()), all=True, failany=True)
        for arch, wrapper in wrappers.items():
            results[arch]["rpmresults"] = {**made[wrapper], "task_id": wrapper}

    def _deliver(self, record: BuildRecord, results: Mapping[str, Any], build: Mapping[str, Any] | None) -> None:
        host = self.session.host
        if build is None:
            self.once("moveImageBuildToScratch", lambda: self._move(results))
            return
        complete = koji.BUILD_STATES["COMPLETE"]
        self.once(
            "completeImageBuild",
            lambda: host.completeImageBuild(self.id, record.id, dict(results)),
            recover=lambda _: (self.session.getBuild(record.id, strict=True)["state"] == complete, None),
        )

    def _move(self, results: Mapping[str, Any]) -> None:
        try:
            self.session.host.moveImageBuildToScratch(self.id, dict(results))
        except koji.GenericError as error:
            # All files move in one call, and nobody else writes there: an earlier run of the daemon has done it.
            if not (str(error).startswith("Destination exists: ") and "/task_" in str(error)):
                raise
            self.context.log.info("build.moved_before", error=str(error))


def _failed(result: Any) -> bool:
    return isinstance(result, dict) and "faultCode" in result
