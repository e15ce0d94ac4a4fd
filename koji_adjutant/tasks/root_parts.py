"""What roots of tasks and containers for images are both made with: pair, proxy, keys. Decisions stand elsewhere."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from koji_adjutant.buildroot.bootstrap import RepoTools
from koji_adjutant.buildroot.no_sync import profile_without_sync
from koji_adjutant.buildroot.pair import ContainerPair, PairRequest
from koji_adjutant.buildroot.prepared import PreparedKey, install_settings
from koji_adjutant.buildroot.repo_proxy import PROXY_SOCKET, PROXY_URL, RepoProxy
from koji_adjutant.buildroot.root import Root, StepLimits, ToolsFacts, through_proxy, tools_facts
from koji_adjutant.buildroot.settings import RootSettings
from koji_adjutant.buildroot.step_logs import StepLogs
from koji_adjutant.container.factory import SECCOMP_PROFILE
from koji_adjutant.container.interface import ImageInfo, Network, ResourceLimits, VolumeMount
from koji_adjutant.tasks.buildroot_record import RepoTag
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.online_container import ROLE, OnlineRequest, online_spec

KEEP_UNTIL = "io.koji.adjutant.keep-until"
BACKGROUND_SHARES = 64
"""Weight of containers that make images: a build beside them has sixteen times as much, and is not slowed down."""


@dataclass(frozen=True)
class RootPlan:
    """What a root will be made of, before any container exists."""

    repo: RepoTag
    settings: RootSettings
    """As the tag has them; the daemon's own proxy is not in them."""
    tools: ImageInfo
    repomd: bytes
    limits: ResourceLimits
    externals: tuple[Mapping[str, Any], ...] = ()
    bootstrap: RepoTools | None = None
    """Tools of the repo that are still to be made, for later tasks."""
    notes: tuple[str, ...] = ()
    """What a reader of the task's logs should know of the root."""
    mounts: tuple[VolumeMount, ...] = ()
    """Of the host, into the root (runroot)."""
    privileged: bool = False
    """With all of the machine's devices and rights (images, where the operator allows it)."""
    online: bool = False
    """A container with a network may join the root, for the command that fetches sources."""
    host_ids: bool = False
    """No user namespace of its own: root of the root is the host's where files of mounts are concerned."""

    @property
    def repomd_sha256(self) -> str:
        return hashlib.sha256(self.repomd).hexdigest()


class RootParts:
    """Makes the parts of one task's roots. Its methods keep nothing; any thread may call them."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context

    def request(self, plan: RootPlan, directory: Path, name: str, image: str, *, prepare: bool = False) -> PairRequest:
        """Describe the pair of a root on `image`; `prepare`: of no task, to become an image."""
        config = self._context.config
        proxied = self._context.proxied
        return PairRequest(
            name=name,
            directory=directory,
            static_dir=self._context.shared.static_dir,
            root_image=image,
            tools_image=plan.tools.reference,
            labels=partial(self._prepare_labels if prepare else self._labels, plan),
            limits=plan.limits,
            tools_limits=ResourceLimits(cpu_shares=BACKGROUND_SHARES if prepare else None),
            userns=config.userns and not plan.host_ids,
            mounts=() if prepare else plan.mounts,
            privileged=plan.privileged and not prepare,
            chroot_tmpdir=self._context.options.chroot_tmpdir,
            tmp_size=config.build.tmp_bytes,
            task_network=Network.PRIVATE if plan.settings.network and not prepare else Network.NONE,
            tools_network=Network.NONE if proxied else Network.PRIVATE,
            relay=proxied,
            seccomp_profile=config.seccomp_profile,
            tools_seccomp_profile=self._tools_profile(),
            companions=(online_spec(self.online(plan, directory, name)),) if plan.online and not prepare else (),
        )

    def online(self, plan: RootPlan, directory: Path, name: str) -> OnlineRequest:
        """Describe the container with a network that joins the root of the pair `name`."""
        config = self._context.config
        return OnlineRequest(
            root=name,
            directory=directory,
            static_dir=self._context.shared.static_dir,
            image=plan.tools.reference,
            labels=self._labels(plan, ROLE),
            chroot_tmpdir=self._context.options.chroot_tmpdir,
            limits=plan.limits,
            userns=config.userns,
            seccomp_profile=config.seccomp_profile,
        )

    def root(self, plan: RootPlan, pair: ContainerPair, logs: StepLogs, attempt: int = 1) -> Root:
        """Return the root that a pair holds, as it is."""
        config = self._context.config
        build = config.build
        facts = self._facts(plan, pair)
        return Root(
            self._context.runtime,
            pair,
            through_proxy(plan.settings, PROXY_URL) if self._context.proxied else plan.settings,
            facts,
            logs,
            StepLimits(
                install_timeout=float(build.init_timeout),
                no_output_timeout=None if build.no_output_timeout is None else float(build.no_output_timeout),
                orphan_timeout=float(build.orphan_timeout),
                log_cap=build.log_cap,
                nofile=build.nofile,
                # Podman has a network for each container, and needs no leave to go on without.
                offline_required=config.runtime != "kubernetes" or config.kubernetes.offline_required,
            ),
            prefix="" if attempt == 1 else f"a{attempt}-",
        )

    def _facts(self, plan: RootPlan, pair: ContainerPair) -> ToolsFacts:
        def ask() -> ToolsFacts:
            return tools_facts(self._context.runtime, pair, plan.settings.package_manager)

        # Packages of an adopted task have run scripts in its tools: what those say now counts for this task alone.
        return ask() if self._context.adopted else self._context.shared.tools.get(plan.tools.digest, ask)

    def proxy(self, plan: RootPlan, directory: Path) -> RepoProxy | None:
        """Start the proxy that is the pair's only way out, if the configuration has one."""
        if not self._context.proxied:
            return None
        arch = plan.settings.br_arch
        external = [str(row["url"]).replace("$arch", arch) for row in plan.externals]
        directory.mkdir(parents=True, exist_ok=True)
        proxy = RepoProxy(
            directory / Path(PROXY_SOCKET).name,
            [*plan.settings.repo_urls, *self._context.options.topurls, *external],
            cache=self._context.shared.package_cache,
            upstream_proxy=plan.settings.proxy,
        )
        proxy.start()
        return proxy

    def prepared_key(self, plan: RootPlan) -> PreparedKey | None:
        """Return the key of the plan's prepared image; None where none are kept."""
        if not self._context.shared.prepared.enabled:
            return None
        settings = plan.settings
        return PreparedKey(
            topurl=self._context.options.topurl,
            repo_id=plan.repo.repo_id,
            repomd_sha256=plan.repomd_sha256,
            tools_digest=plan.tools.digest,
            arch=settings.br_arch,
            personality=settings.personality,
            group=settings.install_group,
            install=self.install_settings(settings, host_ids=plan.host_ids),
        )

    def tools_wanted(self, plan: RootPlan) -> RepoTools:
        """Return what tools of the plan's own repo are asked for by."""
        settings = plan.settings
        return RepoTools(
            starter_digest=plan.tools.digest,
            arch=settings.br_arch,
            package_manager=settings.package_manager,
            repomd_sha256=plan.repomd_sha256,
            install=self.install_settings(settings),
        )

    def install_settings(self, settings: RootSettings, *, host_ids: bool = False) -> str:
        """Return what else changes an install, as text for keys."""
        userns = self._context.config.userns and not host_ids
        return install_settings(settings, settings.package_manager, userns)

    def _tools_profile(self) -> str | None:
        """Where a profile is a path of this machine, the one with which `tools` waits for no disk."""
        config = self._context.config
        if config.runtime != "podman":
            return None
        return str(profile_without_sync(config.podman.seccomp_profile or SECCOMP_PROFILE, Path(config.state_dir)))

    def _labels(self, plan: RootPlan, role: str) -> dict[str, str]:
        return self._context.container_labels(role, tag=plan.repo.tag_name, arch=plan.settings.arch)

    def _prepare_labels(self, plan: RootPlan, role: str) -> dict[str, str]:
        labels = self._labels(plan, f"prepare-{role}")
        # Of no task: the task that asked may be long gone. The sweep takes what a dead daemon left.
        del labels["io.koji.adjutant.task"], labels["io.koji.adjutant.start-ts"]
        labels[KEEP_UNTIL] = repr(time.time() + float(self._context.config.build.init_timeout) + 900.0)
        return labels
