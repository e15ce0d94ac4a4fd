"""`buildMaven`: a checkout built by Maven in a root of group `maven-build`, with a network (contract 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import koji

from koji_adjutant.errors import ContainerError, Interrupted
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, repo_tag
from koji_adjutant.tasks.checkout import assert_source_allowed
from koji_adjutant.tasks.kept_root import keep_failed_root
from koji_adjutant.tasks.maven_build import GROUP, MavenBuild
from koji_adjutant.tasks.mock_config import mock_config
from koji_adjutant.tasks.task_logs import TaskLogs


class BuildMavenTask(ThreadedTask):
    """Handles `buildMaven`."""

    Methods = ["buildMaven"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 1.5  # noqa: N815 - koji's name

    def checkHost(self, hostdata: Mapping[str, Any]) -> bool:  # noqa: N802 - koji's name
        """Whether an arch of the build tag is one of this host's (contract 4.0.7)."""
        tag = self.session.getBuildConfig(self.params[1]["id"])
        if not tag or not tag["arches"]:
            return True
        wanted = {koji.canonArch(arch) for arch in tag["arches"].split()}
        return bool(wanted & set((hostdata["arches"] or "").split()))

    def handler(self, url: str, build_tag: Mapping[str, Any], opts: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Build; kojid's parameters, result and errors."""
        opts = opts or {}
        journal = self.context.journal
        scm = assert_source_allowed(self, url, scratch=opts.get("scratch"))
        if not opts.get("repo_id"):
            raise koji.BuildError("A repo_id must be provided")
        info = self.session.repoInfo(opts["repo_id"], strict=True)
        repo = repo_tag(self.session, info, build_tag["id"], self.context.log)
        host = self.session.host.getHost()
        arch = str(journal.remember("arch", lambda: self.find_arch("noarch", host, repo.config)))
        record = BuildrootRecord(self, repo, koji.canonArch(arch))
        with TaskLogs(self.context) as logs:
            record.create()
            options = self.context.options
            config = mock_config(record.name, record.id, repo, arch, options, group=GROUP, network=True)
            logs.write("mock-config", "mock_config.log", lambda: config)
            build = MavenBuild(self, repo, record, logs, arch, scm, opts)
            try:
                result = dict(self.once("result", build.run))
            except Interrupted:
                raise
            except BaseException as error:
                record.expire_failed()
                if not isinstance(error, ContainerError):
                    keep_failed_root(self.context)
                raise
        record.expire()
        return result
