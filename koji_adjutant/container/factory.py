"""From the configuration to a container manager."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from koji_adjutant.config.adjutant import AdjutantConfig
from koji_adjutant.container.interface import ImageKeeper
from koji_adjutant.container.static_tools import static_directory
from koji_adjutant.errors import ConfigurationError

SECCOMP_PROFILE = Path(__file__).parent / "seccomp.json"
"""The profile that comes with the project: ENOSYS for unknown calls, whatever the runtime's own default says."""


def create_container_manager(
    config: AdjutantConfig,
    environ: Mapping[str, str] = os.environ,
    uid: int | None = None,
    *,
    topdir: str = "",
    worker: str | None = None,
    epoch: int = 0,
) -> ImageKeeper:
    """The manager that `runtime` names. Nothing is connected yet: `health_check` tells whether it answers.

    `topdir` is kojid.conf's, which pods may mount. With `worker` only containers of this worker's label need be seen;
    `epoch` is that of its claim to the host name, 0 without one.

    Raises:
        ConfigurationError: a socket it cannot use, or what the runtime cannot do without; names setting and value.
    """
    if config.runtime == "podman":
        return _podman(config, environ, os.geteuid() if uid is None else uid)
    if config.runtime == "memory":
        from koji_adjutant.container.memory_manager import MemoryManager

        return MemoryManager()
    return _kubernetes(config, topdir, worker, epoch)


def _podman(config: AdjutantConfig, environ: Mapping[str, str], uid: int) -> ImageKeeper:
    from koji_adjutant.container.podman_manager import PodmanManager

    section = config.podman
    url = section.socket_url(environ, uid)
    if not url.removeprefix("http+").startswith("unix://"):
        raise ConfigurationError(
            f"podman.socket is {url!r}, which is not a socket of this machine",
            details="Build roots are filled through paths that the daemon and Podman share.",
            resolution="Set podman.socket to unix:///path/to/podman.sock of a service on this machine.",
        )
    return PodmanManager(
        url,
        userns=section.userns,
        userns_size=section.userns_size,
        request_timeout=section.request_timeout,
        seccomp_profile=str(section.seccomp_profile or SECCOMP_PROFILE),
    )


def _kubernetes(config: AdjutantConfig, topdir: str, worker: str | None, epoch: int) -> ImageKeeper:
    from koji_adjutant.container.kubernetes_connection import own_namespace
    from koji_adjutant.container.kubernetes_manager import KubernetesManager
    from koji_adjutant.container.kubernetes_owner import OwnedKubernetesManager
    from koji_adjutant.container.kubernetes_plan import PodSite

    settings = config.kubernetes
    if settings.runner_image is None:
        raise ConfigurationError(
            "kubernetes.runner_image is not set",
            details="It holds the static programs that each pod is given.",
            resolution="Set it to the image of this daemon.",
        )
    site = PodSite(
        settings,
        state_dir=str(config.state_dir),
        static_dir=str(static_directory(config.static_dir)),
        runner_image=settings.runner_image,
        namespace=own_namespace(settings.config),
        topdirs=tuple(dict.fromkeys((topdir, os.path.realpath(topdir)))) if topdir else (),
        pull=config.images.pull,
    )
    if worker is not None and epoch:
        return OwnedKubernetesManager(site, worker=worker, epoch=epoch)
    return KubernetesManager(site, worker=worker)
