"""Specs whose payloads for Podman are kept as golden files."""

from __future__ import annotations

from koji_adjutant.container.interface import (
    LABEL_TASK,
    ContainerHandle,
    ContainerSpec,
    MountKind,
    Network,
    ResourceLimits,
    VolumeMount,
)
from koji_adjutant.container.podman_payload import CompanionBase, IdRange, PayloadSettings

FIRST = ContainerHandle("f" * 64, "task-1", "podman")
BASE = CompanionBase("f" * 64, "/store/merged", (IdRange(0, 200000, 65536),), (IdRange(0, 200000, 65536),))
ROOT = PayloadSettings(chown_sources=False, nofile_ceiling=20000, nproc=32768)

CASES: dict[str, tuple[ContainerSpec, PayloadSettings, CompanionBase | None]] = {
    "minimal": (ContainerSpec("c", "localhost/empty:1"), PayloadSettings(), None),
    "task": (
        ContainerSpec(
            "task-1",
            "localhost/empty:1",
            command=("/run/adjutant/bin/busybox", "sleep", "100000"),
            env={"A": "$B\n'\""},
            labels={LABEL_TASK: "1"},
            mounts=(
                VolumeMount("/run/adjutant/bin", "/static"),
                VolumeMount(
                    "/run/adjutant/steps", "/steps", read_only=False, owned_by_container=True, executable=False
                ),
                VolumeMount("/tmp", kind=MountKind.TMPFS, mode=0o1777, size_bytes=1 << 30),
                VolumeMount("/builddir", "/work", read_only=False, selinux_label="s0:c1,c2"),
            ),
            limits=ResourceLimits(cpus=2.5, memory_bytes=4 << 30, nofile=65536),
            hostname="builder",
        ),
        ROOT,
        None,
    ),
    "companion": (
        ContainerSpec(
            "tools-1",
            "localhost/tools:1",
            command=("sleep", "1"),
            mounts=(
                VolumeMount("/buildroot/dev", kind=MountKind.DEVICES),
                VolumeMount("/buildroot/proc", kind=MountKind.PROC),
            ),
            network=Network.PRIVATE,
            companion_of=FIRST,
            capabilities=("NET_ADMIN",),
            seccomp_profile="/etc/seccomp.json",
        ),
        ROOT,
        BASE,
    ),
    "no-userns": (ContainerSpec("c", "i", userns=False, init=False), PayloadSettings(), None),
    "privileged": (
        ContainerSpec(
            "image-1",
            "localhost/empty:1",
            mounts=(VolumeMount("/builddir", "/work", read_only=False),),
            network=Network.PRIVATE,
            userns=False,
            capabilities=("NET_ADMIN",),
            privileged=True,
            seccomp_profile="/etc/seccomp.json",
        ),
        ROOT,
        None,
    ),
    "rootless-network": (
        ContainerSpec("c", "i", network=Network.PRIVATE, mounts=(VolumeMount("/m", "/s", owned_by_container=True),)),
        PayloadSettings(private_network="slirp4netns", seccomp_profile="/default.json"),
        None,
    ),
}
