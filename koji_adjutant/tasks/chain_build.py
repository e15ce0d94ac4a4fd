"""`chainbuild`: levels of builds, each begun when the one before it is in the build tag's repo (contract 4.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import koji
from koji.daemon import SCM

from koji_adjutant.tasks.base import ThreadedTask


class ChainBuildTask(ThreadedTask):
    """Handles `chainbuild`. It mostly waits for other tasks, which it finds again by their labels."""

    Methods = ["chainbuild"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 0.1  # noqa: N815 - koji's name

    def handler(self, srcs: Sequence[Sequence[str]], target: str, opts: Mapping[str, Any] | None = None) -> None:
        """Build level after level. Each holds SCM URLs, and names of builds that the next level waits for too."""
        if (opts or {}).get("scratch"):
            raise koji.BuildError("--scratch is not allowed with chain-builds")
        info = self.session.getBuildTarget(target)
        if not info:
            raise koji.GenericError(f"unknown build target: {target}")
        nvrs: list[str] = []
        for number, level in enumerate(srcs):
            if nvrs:
                self._wait([self.subtask("waitrepo", [info["build_tag_name"], None, nvrs], label=f"wait {number}")])
            nvrs = [src for src in level if not SCM.is_scm_url(src)]
            builds = [
                self.subtask("build", [src, target, opts], label=f"build {number},{place}")
                for place, src in enumerate(level)
                if SCM.is_scm_url(src)
            ]
            if builds:
                self._wait(builds)
            nvrs += [row["nvr"] for build in builds for row in self.session.listBuilds(taskID=build)[:1]]

    def _wait(self, children: list[int]) -> None:
        self.wait(children, all=True, failany=True)
