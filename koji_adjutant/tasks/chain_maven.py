"""`chainmaven`: Maven builds and wrappers in the order of their dependencies (contract 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xmlrpc.client import Fault

import koji

from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.chain_order import Chain, maven_options, same_options


class ChainMavenTask(ThreadedTask):
    """Handles `chainmaven`. It mostly waits for children, which it finds again by their labels: the packages' names."""

    Methods = ["chainmaven"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 0.2  # noqa: N815 - koji's name

    def handler(
        self, builds: Mapping[str, Mapping[str, Any]], target: int | str, opts: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Build all; kojid's parameters, result and errors."""
        opts = opts or {}
        info = self.session.getBuildTarget(target)
        if not info:
            raise koji.BuildError(f"unknown build target: {target}")
        dest = self.session.getTag(info["dest_tag"], strict=True)
        if not (opts.get("scratch") or opts.get("skip_tag")):
            self._check_packages(builds, dest)
        chain = Chain(builds)
        results: list[str] = []
        running: dict[int, str] = {}
        while True:
            for package in chain.ready():
                built = None if opts.get("force") else self._known(chain, package, dest["name"])
                if built is not None:
                    chain.finish(package, built)
                    results.append(f"{built} previously built from {builds[package]['scmurl']}")
                else:
                    running[self._start(chain, package, target, opts)] = package
            if not running and not chain.ready():
                break
            for task in self._finished(running):
                package = running.pop(task)
                results.append(self._result(chain, package, task, scratch=bool(opts.get("scratch"))))
        if chain.left:
            raise koji.BuildError("unable to run chain build, circular dependencies")
        return results

    def _check_packages(self, builds: Mapping[str, Any], dest: Mapping[str, Any]) -> None:
        for package in builds:
            config = self.session.getPackageConfig(dest["id"], package)
            if config is None:
                raise koji.BuildError(f"package {package} not in list for tag {dest['name']}")
            if config["blocked"]:
                raise koji.BuildError(f"package {package} is blocked for tag {dest['name']}")

    def _start(self, chain: Chain, package: str, target: int | str, opts: Mapping[str, Any]) -> int:
        chain.start(package)
        params = chain.builds[package]
        options = chain.options(package) | {key: opts[key] for key in ("skip_tag", "scratch") if key in opts}
        kind = params.get("type", "maven")
        if kind == "maven":
            if opts.get("debug"):
                options["maven_options"] = [*options.get("maven_options", ()), "--debug"]
            return self.subtask("maven", [params["scmurl"], target, options], label=package)
        if kind == "wrapper":
            return self._start_wrapper(chain, package, target, options)
        raise koji.BuildError(f"unsupported build type: {kind}")

    def _start_wrapper(self, chain: Chain, package: str, target: int | str, options: dict[str, Any]) -> int:
        wrapped = chain.wrapped(package)
        build = task = None
        if isinstance(wrapped, int):
            task = self.session.getTaskInfo(wrapped, request=True)
        else:
            build = self.session.getBuild(wrapped, strict=True)
        info = self.session.getBuildTarget(target, strict=True)
        options["repo_id"] = self.once(f"repo-{package}", lambda: self.getRepo(info["build_tag"])["id"])
        url = chain.builds[package]["scmurl"]
        return self.subtask("wrapperRPM", [url, info, build, task, options], label=package)

    def _finished(self, running: Mapping[int, str]) -> list[int]:
        """Wait until one of the children has ended; when one fails, the others still come to their end."""
        if not running:
            return []
        try:
            return list(self.wait(list(running)))
        except (Fault, koji.GenericError):
            self.wait(all=True)
            raise

    def _result(self, chain: Chain, package: str, task: int, *, scratch: bool) -> str:
        url = chain.builds[package]["scmurl"]
        if not scratch:
            found = self.session.listBuilds(taskID=task)
            if not found:
                raise koji.BuildError(f"could not find build for task {task}")
            chain.finish(package, found[0]["nvr"])
            return f"{found[0]['nvr']} built from {url}"
        made = task
        if chain.builds[package].get("type") != "wrapper":
            # Its output directory is where others find what it has made.
            children = [child["id"] for child in self.session.getTaskChildren(task) if child["method"] == "buildMaven"]
            if not children:
                raise koji.BuildError(f"could not find buildMaven subtask of {task}")
            made = children[0]
        chain.finish(package, made)
        return f"{package} built from {url} by task {task}"

    def _known(self, chain: Chain, package: str, tag: str) -> str | None:
        """Return the NVR of the tag's latest build if it is of the same source and options; decided once per package."""
        found: str | None = self.context.journal.remember(
            f"known-{package}", lambda: self._look_up(chain, package, tag)
        )
        return found

    def _look_up(self, chain: Chain, package: str, tag: str) -> str | None:
        latest = self.session.getLatestBuilds(tag, package=package)
        if not latest or not latest[0]["task_id"]:
            return None
        nvr, params = str(latest[0]["nvr"]), chain.builds[package]
        request = self.session.getTaskInfo(latest[0]["task_id"], request=True)["request"]
        if request[0] != params["scmurl"]:
            return None
        if params.get("type") == "wrapper":
            return nvr if request[2]["nvr"] == chain.wrapped(package) else None
        before = maven_options(request[2] if len(request) > 2 else {})
        return nvr if same_options(before, maven_options(chain.options(package))) else None
