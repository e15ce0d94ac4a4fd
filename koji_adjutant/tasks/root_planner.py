"""Decides what a root is made of, from the tag, the configuration and the repository. No container is touched here."""

from __future__ import annotations

import uuid

import koji

from koji_adjutant.buildroot.settings import root_settings
from koji_adjutant.container.interface import ResourceLimits
from koji_adjutant.hub.downloads import TopURLs
from koji_adjutant.tasks.buildroot_record import RepoTag
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.root_parts import RootPlan
from koji_adjutant.tasks.tools_choice import ToolsChoice

REPOMD_BYTES = 1 << 20


class RootPlanner:
    """Plans roots for one context, in its thread; any thread may `fetch`."""

    def __init__(self, context: TaskContext, tools: ToolsChoice) -> None:
        self._context = context
        self._tools = tools
        self._topurls = TopURLs(context.options.topurls)

    def plan(self, repo: RepoTag, arch: str, *, group: str, network: bool = False) -> RootPlan:
        """Decide what the root is made of.

        Raises:
            ImageError: no tools image, not allowed, or not to be had.
            HubError: the repository cannot be read.
            RootFault: the tag demands tools of its own repo, which has none.
        """
        context, build = self._context, self._context.config.build
        br_arch = koji.canonArch(arch)
        urls = [f"{url}/{repo.path(br_arch)}" for url in context.options.topurls]
        settings = root_settings(
            repo.config,
            context.options,
            arch=arch,
            repo_urls=urls,
            install_group=group,
            network=network,
            build_host=context.identity.host_name,
            bootstrap_image_allowed=context.options.mock_bootstrap_image,
        ).with_cpu_limit(build.cpus)
        for name, reason in settings.ignored:
            context.log.info("tag.setting_ignored", setting=name, reason=reason)
        plan = RootPlan(
            repo=repo,
            settings=settings,
            tools=self._tools.named(repo, settings),
            repomd=self.fetch(f"{repo.path(br_arch)}/repodata/repomd.xml", REPOMD_BYTES),
            limits=ResourceLimits(cpus=build.cpus, memory_bytes=build.memory, pids=build.pids, nofile=build.nofile),
            externals=tuple(context.session.getExternalRepoList(repo.config["id"], event=repo.event)),
        )
        return self._tools.choose(plan)

    def fetch(self, relative: str, max_bytes: int) -> bytes:
        """Return a file below topurl.

        Raises:
            HubError: it is not to be had, or longer than `max_bytes`.
        """
        target = self._context.directory / f"metadata-{uuid.uuid4().hex}"
        interruption = self._context.interruption
        try:
            self._topurls.fetch(
                relative, target, max_bytes=max_bytes, interrupt=interruption.event, interrupted=interruption.error
            )
            return target.read_bytes()
        finally:
            target.unlink(missing_ok=True)
