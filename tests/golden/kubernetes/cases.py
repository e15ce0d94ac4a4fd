"""Plans whose pods are kept as golden files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from koji_adjutant.config.images import PullSection
from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.container.interface import (
    LABEL_ARCH,
    LABEL_MANAGED,
    LABEL_METHOD,
    LABEL_ROLE,
    LABEL_START_TS,
    LABEL_TAG,
    LABEL_TASK,
    LABEL_WORKER,
    ContainerSpec,
    MountKind,
    Network,
    ResourceLimits,
    VolumeMount,
)
from koji_adjutant.container.kubernetes_plan import PodSite, ServerFacts

STATE, STATIC, TOPDIR = "/var/lib/koji-adjutant", "/var/cache/koji-adjutant/static/0123", "/mnt/koji"
WORK = f"{STATE}/tasks/7/root-1"
PAUSE = ("/run/adjutant/bin/adjutant-runner", "pause")
LABELS = {
    LABEL_MANAGED: "true",
    LABEL_WORKER: "builder1-0a1b2c3d",
    LABEL_TASK: "7",
    LABEL_START_TS: repr(1764060000.25),
    LABEL_ROLE: "task",
    LABEL_TAG: "f42-build",
    LABEL_METHOD: "buildArch",
    LABEL_ARCH: "x86_64",
}
OLD = ServerFacts()
NEWEST = ServerFacts(user_namespaces=True, image_volumes=True, ephemeral_volumes=True)


def section(**settings: Any) -> KubernetesSection:
    """The section of the configuration with these keys."""
    return KubernetesSection.model_validate(settings)


def site(server: ServerFacts = OLD, **settings: Any) -> PodSite:
    """A daemon and a cluster with these settings."""
    return PodSite(
        settings=section(**settings),
        state_dir=STATE,
        static_dir=STATIC,
        runner_image="registry.example.com/koji-adjutant:1.0",
        namespace="builds",
        topdirs=(TOPDIR,),
        pull=PullSection(),
        server=server,
    )


def build_mounts(below: str = "") -> tuple[VolumeMount, ...]:
    """Where a build writes, as the pair of a build root has it."""
    places = (("/builddir", "builddir"), ("/var/tmp", "tmp"))
    return tuple(VolumeMount(below + target, f"{WORK}/{name}", read_only=False) for target, name in places)


STEPS = VolumeMount("/run/adjutant/steps", f"{WORK}/steps", read_only=False, owned_by_container=True)
BIN = VolumeMount("/run/adjutant/bin", STATIC)
TOOLS = ContainerSpec(
    "adjutant-7-tools",
    "registry.example.com/tools:latest",
    command=PAUSE,
    labels={**LABELS, LABEL_ROLE: "tools"},
    mounts=(
        BIN,
        STEPS,
        *build_mounts("/buildroot"),
        VolumeMount("/buildroot/proc", kind=MountKind.PROC, read_only=False),
        VolumeMount("/buildroot/dev", kind=MountKind.DEVICES, read_only=False),
        VolumeMount("/run/adjutant/proxy", f"{WORK}/proxy"),
    ),
    network=Network.PRIVATE,
)
PLAIN = ContainerSpec(
    "adjutant-builder1-0a1b2c3d-7-srpm",
    "registry.example.com/tools:latest",
    command=("/bin/echo", "$(HOME) costs $$5"),
    env={"MACRO": "%{?dist}$(rpm -E x)", "PRICE": "$5"},
    labels={**LABELS, LABEL_ROLE: "work-srpm"},
    mounts=(BIN, VolumeMount("/work", f"{STATE}/tasks/7/work-srpm/work", read_only=False, size_bytes=1 << 30)),
    limits=ResourceLimits(cpus=2.5, memory_bytes=4 << 30, nofile=65536),
    hostname="adjutant",
    workdir="/work",
)
PAIR = ContainerSpec(
    "adjutant-7-task",
    "localhost/koji-adjutant/empty",
    command=PAUSE,
    labels=LABELS,
    mounts=(
        BIN,
        STEPS,
        *build_mounts(),
        VolumeMount("/tmp", kind=MountKind.TMPFS, read_only=False, size_bytes=1 << 30, mode=0o1777),
    ),
    limits=ResourceLimits(memory_bytes=8 << 30),
    hostname="Mock_1",
    capabilities=("NET_ADMIN",),
    companions=(TOOLS,),
)
READER = replace(
    PLAIN,
    env={},
    mounts=(
        VolumeMount(TOPDIR, TOPDIR),
        VolumeMount("/repo", f"{TOPDIR}/repos/f42-build/1"),
        VolumeMount("/s", STATIC),
    ),
)
FULL = section(
    namespaces=[{"tag": "f42-*", "namespace": "f42"}],
    service_account="builds",
    active_deadline="1d",
    node_selector={"disk": "ssd"},
    tolerations=[{"key": "builds", "operator": "Exists", "effect": "NoExecute", "seconds": 60}],
    runtime_class="kata",
    priority_class="builds",
    image_pull_secrets=["registry"],
    seccomp_profile="profiles/koji-adjutant.json",
    resource_classes=[
        {"name": "heavy", "role": "task", "memory": "32GiB", "cpus": 8, "cpu_request": 6, "ephemeral_storage": "64GiB"},
        {"name": "tools", "role": "tools", "memory_request": "512MiB", "cpus": 2, "request_share": 1},
    ],
)
TEMPLATE = {
    "metadata": {"labels": {"team": "releng"}, "annotations": {"example.com/cost-center": "7"}},
    "spec": {
        "containers": [
            {"name": "task", "env": [{"name": "TZ", "value": "UTC"}]},
            {"name": "audit", "image": "registry.example.com/audit:1", "volumeMounts": []},
        ],
        "volumes": [{"name": "ca", "configMap": {"name": "site-ca"}}],
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "nodeSelector": {"zone": "a", "kubernetes.io/os": None},
        "dnsPolicy": "Default",
    },
}

CASES: dict[str, tuple[ContainerSpec, PodSite]] = {
    "plain": (PLAIN, site()),
    "companion": (PAIR, site()),
    "user-namespace": (PAIR, site(NEWEST)),
    "every-setting": (PAIR, replace(site(NEWEST), settings=FULL)),
    "storage-host-path": (READER, site(storage={"mode": "hostPath"})),
    "storage-nfs": (READER, site(storage={"mode": "nfs", "server": "nfs.example.com", "path": "/koji"})),
    "storage-claim": (READER, site(storage={"mode": "claim", "claim": "koji", "sub_path": "production"})),
    "storage-local": (READER, site(storage={"mode": "local", "claim": "koji-local"})),
    "storage-dynamic": (PAIR, site(storage={"mode": "dynamic"}, storage_class="fast")),
    "storage-ephemeral": (PAIR, site(NEWEST, storage={"mode": "dynamic", "size": "1TiB"})),
    "host-path-affinity": (
        READER,
        site(
            storage={"mode": "hostPath", "path": "/srv/koji"},
            affinity={
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
                            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]},
                        ]
                    }
                },
                "podAntiAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"}}
                    ]
                },
            },
        ),
    ),
    "selinux": (replace(PLAIN, mounts=(replace(PLAIN.mounts[1], selinux_label="s0:c1,c2"),)), site()),
    "template": (PLAIN, site(pod_template=TEMPLATE, tolerations=[{"key": "builds", "value": "yes"}])),
}
