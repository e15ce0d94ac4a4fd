"""Checks of the container runtime and of the images that tasks need."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from koji_adjutant.cli.checks.check import Finding, finding_of, note
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.interface import ContainerManager, PullPolicy, missing_capabilities
from koji_adjutant.container.static_tools import BUSYBOX_NAME, static_directory
from koji_adjutant.errors import ContainerError
from koji_adjutant.manager.observer import storage_path

WANTED = {
    "commit": "no prepared images: every task installs its buildroot anew",
    "companion": "no package installs from outside the root",
    "isolate": "builds cannot be kept off the network",
    "userns": "root of a build is root of the host",
}
"""What a runtime should be able to do, and what its lack means."""

Open = Callable[[], ContainerManager]


def check_runtime(open_manager: Open, config: AdjutantConfig) -> Sequence[Finding]:
    """Ask the runtime how it is and what it can. Errors of reaching it are raised."""
    manager = open_manager()
    try:
        health = manager.health_check()
    finally:
        manager.close()
    wanted = [name for name in WANTED if name != "userns" or config.podman.userns]
    findings = [Finding(problem) for problem in health.problems]
    findings += [
        Finding(
            f"{health.runtime} {health.version} lacks `{name}`: {WANTED[name]}", "Use a runtime or user that has it."
        )
        for name in missing_capabilities(health, wanted)
    ]
    if health.runtime == "podman" and not health.rootless:
        findings.append(
            note("the Podman service is root's: whoever can open its socket, and this daemon, is root of this machine")
        )
    if not config.podman.userns:
        findings.append(note(f"user namespaces are turned off: {WANTED['userns']}", "Set podman.userns to true."))
    if config.privileged_images == "on":
        findings.append(_privileged(rootless=health.rootless))
    return findings


def _privileged(*, rootless: bool) -> Finding:
    if rootless:
        return Finding(
            "privileged_images is on, but the Podman service has no root: its containers get no loop devices",
            "Use root's Podman, or set privileged_images to off.",
        )
    return note(
        "privileged_images is on: whoever may ask for an image, or change a package of its root, is root of this machine"
    )


def check_static_programs(directory: Path | None) -> Sequence[Finding]:
    """Look whether the programs that every container is given are there. A missing runner is raised."""
    found = static_directory(directory)
    if not (found / BUSYBOX_NAME).exists():
        return [
            Finding(
                f"{found} holds no static busybox",
                "Install the system's static busybox (busybox-static, or busybox), or put one into static_dir.",
            )
        ]
    return []


def check_storage(open_manager: Open, minspace_mb: int) -> Sequence[Finding]:
    """Look whether the disk that the runtime keeps images and containers on has `minspace_mb` free."""
    manager = open_manager()
    try:
        path = storage_path(manager)
    finally:
        manager.close()
    if path is None:
        return []
    free = shutil.disk_usage(path).free >> 20
    if free >= minspace_mb:
        return []
    return [
        Finding(
            f"{path} has {free} MB free, less than minspace ({minspace_mb} MB): no task would be taken",
            "Free disk space (`podman image prune`), lower images.prepared.max_bytes, or minspace in kojid.conf.",
        )
    ]


def check_images(open_manager: Open, config: AdjutantConfig) -> Sequence[Finding]:
    """Make sure that each image the configuration names can be had, by its pull policy."""
    images = config.images
    named = sorted({image for image in (images.tools, *(rule.image for rule in images.rules)) if image})
    if not named:
        return [
            Finding(
                "no tools image is configured",
                "Set images.tools in adjutant.yaml to an image with dnf, rpm and createrepo_c.",
            )
        ]
    manager = open_manager()
    try:
        return [finding for image in named if (finding := _missing(manager, image, config))]
    finally:
        manager.close()


def _missing(manager: ContainerManager, image: str, config: AdjutantConfig) -> Finding | None:
    try:
        manager.ensure_image_available(image, PullPolicy(config.images.pull.policy_for(image)))
    except ContainerError as error:
        return finding_of(error)
    return None
