"""`buildMaven`: a checkout built by Maven in a root of group `maven-build`, with a network (contract 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import koji

from koji_adjutant.tasks.buildroot_record import BuildrootRecord, repo_tag
from koji_adjutant.tasks.buildroot_task import BuildrootTask, Work
from koji_adjutant.tasks.checkout import assert_source_allowed
from koji_adjutant.tasks.maven_build import GROUP, MavenBuild
from koji_adjutant.tasks.task_logs import TaskLogs


class BuildMavenTask(BuildrootTask):
    """Handles `buildMaven`."""

    Methods = ["buildMaven"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 1.5  # noqa: N815 - koji's name
    root_key = "buildroot_id"

    def build_tag_asked(self) -> Any:
        """Return the tag's id: the parameter is its row."""
        return self.params[1]["id"]

    def handler(self, url: str, build_tag: Mapping[str, Any], opts: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Build; kojid's parameters, result and errors."""
        result = self.earlier_result()
        if result is None:
            result = self._built(url, build_tag, opts or {})
        self.expire_root(result)
        return result

    def _built(self, url: str, build_tag: Mapping[str, Any], opts: Mapping[str, Any]) -> dict[str, Any]:
        scm = assert_source_allowed(self, url, scratch=opts.get("scratch"))
        if not opts.get("repo_id"):
            raise koji.BuildError("A repo_id must be provided")
        info = self.session.repoInfo(opts["repo_id"], strict=True)
        repo = repo_tag(self.session, info, build_tag["id"], self.context.log)
        arch = self.noarch_root_arch(repo.config)

        def begin(record: BuildrootRecord, logs: TaskLogs) -> Work:
            return MavenBuild(self, repo, record, logs, arch, scm, opts).run

        return self.in_root(repo, arch, begin, group=GROUP, network=True)
