"""The third container of a source package's root: it sees the root as `tools` does, has a network, and is gone early.

Its description stands apart from its use (`source_command`), since a runtime may have to know it when the root is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from koji_adjutant.buildroot.pair import BUILDROOT
from koji_adjutant.container.interface import ContainerSpec, MountKind, Network, ResourceLimits, VolumeMount
from koji_adjutant.container.steps import BIN_DIR, STEPS_DIR

ROLE = "online"


@dataclass(frozen=True)
class OnlineRequest:
    """What it is made of. `root` is the name of its pair, `directory` that of the pair's files on this machine."""

    root: str
    directory: Path
    static_dir: Path
    image: str
    labels: Mapping[str, str]
    chroot_tmpdir: str
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    userns: bool = True
    seccomp_profile: str | None = None
    mounts: Sequence[VolumeMount] = ()
    """Further mounts, by their place in the root."""


def online_spec(request: OnlineRequest) -> ContainerSpec:
    """All of the container but the one it joins (`ContainerSpec.companion_of`)."""
    build = (("/builddir", "builddir"), ("/var/tmp", "tmp"), (request.chroot_tmpdir, "chroot_tmpdir"))  # noqa: S108
    directory = request.directory
    return ContainerSpec(
        name=f"{request.root}-{ROLE}",
        image=request.image,
        command=(f"{BIN_DIR}/adjutant-runner", "pause"),
        labels=request.labels,
        mounts=(
            VolumeMount(BIN_DIR, str(request.static_dir)),
            VolumeMount(STEPS_DIR, str(directory / "steps"), read_only=False),
            *(VolumeMount(BUILDROOT + path, str(directory / name), read_only=False) for path, name in build),
            VolumeMount(f"{BUILDROOT}/proc", kind=MountKind.PROC, read_only=False),
            VolumeMount(f"{BUILDROOT}/dev", kind=MountKind.DEVICES, read_only=False),
            *(replace(mount, target=BUILDROOT + mount.target) for mount in request.mounts),
        ),
        limits=request.limits,
        network=Network.PRIVATE,
        userns=request.userns,
        companion_root=BUILDROOT,
        seccomp_profile=request.seccomp_profile,
    )
