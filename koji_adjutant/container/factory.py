"""From the configuration to a container manager."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from koji_adjutant.config.adjutant import AdjutantConfig
from koji_adjutant.container.interface import ImageKeeper
from koji_adjutant.errors import ConfigurationError

CHOICES = ("podman", "memory")
"""Values of `runtime` that this version can serve."""
SECCOMP_PROFILE = Path(__file__).parent / "seccomp.json"
"""The profile that comes with the project: ENOSYS for unknown calls, whatever the runtime's own default says."""


def create_container_manager(
    config: AdjutantConfig, environ: Mapping[str, str] = os.environ, uid: int | None = None
) -> ImageKeeper:
    """The manager that `runtime` names. Nothing is connected yet: `health_check` tells whether it answers.

    Raises:
        ConfigurationError: a runtime this version lacks, or a socket it cannot use; names setting, value and choices.
    """
    if config.runtime == "podman":
        return _podman(config, environ, os.geteuid() if uid is None else uid)
    if config.runtime == "memory":
        from koji_adjutant.container.memory_manager import MemoryManager

        return MemoryManager()
    raise ConfigurationError(
        f"runtime is {config.runtime!r}, which this version cannot serve",
        details=f"choices: {', '.join(CHOICES)}",
        resolution="Set `runtime` in adjutant.yaml (or ADJUTANT_CONTAINER_RUNTIME) to one of them.",
    )


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
