"""From a `ContainerSpec` to the JSON that Podman's `containers/create` takes: a pure function, golden-tested.

User namespaces need both `userns` and `idmappings` in the REST interface; a companion joins the namespace of the first
container by id and repeats its mappings (tried with Podman 4.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from koji_adjutant.container.interface import LABEL_MANAGED, ContainerSpec, MountKind, Network, VolumeMount

LABEL_COMPANION = "io.koji.adjutant.companion-of"
"""Id of the container whose root a companion works on: it is removed before that one."""
DEVICE_NODES = ("full", "null", "random", "tty", "urandom", "zero")
DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
LOG_BYTES = 256 * 1024 * 1024
"""Podman's own log of PID 1 starts anew at this size: a hostile root can write to it, and it must not fill the disk."""


@dataclass(frozen=True)
class IdRange:
    """One line of an id map: `size` ids from `container_id` are `host_id` and up."""

    container_id: int
    host_id: int
    size: int

    @classmethod
    def parse(cls, text: str) -> IdRange:
        """Read Podman's `0:200000:65536`."""
        container_id, host_id, size = text.split(":")
        return cls(int(container_id), int(host_id), int(size))


@dataclass(frozen=True)
class CompanionBase:
    """The running container a companion works on."""

    id: str
    root: str
    """Where its root is mounted, as the service sees it."""
    uid_map: Sequence[IdRange] = ()
    gid_map: Sequence[IdRange] = ()


@dataclass(frozen=True)
class PayloadSettings:
    """What the machine and the operator decide, not the caller."""

    userns: bool = True
    userns_size: int = 65536
    seccomp_profile: str | None = None
    private_network: str = "bridge"
    """Podman's `nsmode` for `Network.PRIVATE`."""
    nofile_ceiling: int | None = None
    """Hard limit of the service: asking for more makes the OCI runtime fail."""
    nproc: int | None = None
    """Hard limit of processes of the service, given along with a limit of files: Podman's own default may be more."""
    chown_sources: bool = True
    """Let Podman give `owned_by_container` sources to the container (option `U`, recursive); else the daemon does."""


def create_payload(spec: ContainerSpec, settings: PayloadSettings, base: CompanionBase | None = None) -> dict[str, Any]:
    """The body of `containers/create` for `spec`; `base` for a companion."""
    payload: dict[str, Any] = {
        "name": spec.name,
        "image": spec.image,
        "env": dict(spec.env),
        # Without it every exec inherits the image's environment and container=podman.
        "unsetenvall": True,
        "labels": _labels(spec, base),
        "work_dir": spec.workdir,
        "init": spec.init,
        "netns": {"nsmode": "none" if spec.network is Network.NONE else settings.private_network},
        "use_image_hosts": spec.network is Network.NONE,
        "image_volume_mode": "ignore",
        "mounts": _mounts(spec, settings, base),
        "volumes": [_devices_volume(mount) for mount in spec.mounts if mount.kind is MountKind.DEVICES],
        "log_configuration": {"driver": "k8s-file", "size": LOG_BYTES},
        "stop_timeout": 0,
    }
    if spec.command:
        # As entry point: an empty one would mean the image's.
        payload |= {"entrypoint": list(spec.command), "command": []}
    if spec.hostname:
        payload["hostname"] = spec.hostname
    return payload | _limits(spec, settings) | _security(spec, settings) | _namespaces(spec, settings, base)


def device_targets(spec: ContainerSpec) -> list[str]:
    """Where links of a minimal /dev have to be put after the creation."""
    return [mount.target for mount in spec.mounts if mount.kind is MountKind.DEVICES]


def _labels(spec: ContainerSpec, base: CompanionBase | None) -> dict[str, str]:
    labels = {LABEL_MANAGED: "true", **spec.labels}
    if base is not None:
        labels[LABEL_COMPANION] = base.id
    return labels


def _mounts(spec: ContainerSpec, settings: PayloadSettings, base: CompanionBase | None) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = []
    if base is not None:
        # rslave: what the service unmounts when the first container goes must not stay busy here.
        mounts.append(_bind(base.root, spec.companion_root, ["rw", "rbind", "rslave"]))
    if spec.privileged:
        # Live: loop devices and their partitions appear while the container runs.
        mounts.append(_bind("/dev", "/dev", ["rw", "rbind", "rprivate"]))
    for mount in spec.mounts:
        mounts.extend(_mount(mount, settings))
    return mounts


def _mount(mount: VolumeMount, settings: PayloadSettings) -> Iterable[dict[str, Any]]:
    match mount.kind:
        case MountKind.BIND:
            return [_bind(mount.source, mount.target, _bind_options(mount, settings))]
        case MountKind.TMPFS:
            return [_tmpfs(mount)]
        case MountKind.PROC:
            return [{"type": "proc", "source": "proc", "destination": mount.target}]
        case MountKind.DEVICES:
            return [_bind(f"/dev/{node}", f"{mount.target}/{node}", ["rw", "bind"]) for node in DEVICE_NODES]


def _bind(source: str, destination: str, options: list[str]) -> dict[str, Any]:
    return {"type": "bind", "source": source, "destination": destination, "options": options}


def _bind_options(mount: VolumeMount, settings: PayloadSettings) -> list[str]:
    options = ["ro" if mount.read_only else "rw", "rbind", "rprivate", "nodev"]
    if not mount.executable:
        options.append("noexec")
    if mount.owned_by_container and settings.chown_sources:
        options.append("U")
    if mount.selinux_label:
        options.append("Z")
    return options


def _tmpfs(mount: VolumeMount) -> dict[str, Any]:
    # Fresh, so always writable: read-only would make it useless.
    options = ["rw", f"mode={mount.mode:o}", "nosuid", "nodev", "notmpcopyup"]
    options.append("exec" if mount.executable else "noexec")
    if mount.size_bytes is not None:
        options.append(f"size={mount.size_bytes}")
    return {"type": "tmpfs", "source": "tmpfs", "destination": mount.target, "options": options}


def _devices_volume(mount: VolumeMount) -> dict[str, Any]:
    # Anonymous and of this container alone. A tmpfs in a user namespace could not take the links from outside.
    return {"Name": "", "Dest": mount.target, "Options": ["nocopy"]}


def _limits(spec: ContainerSpec, settings: PayloadSettings) -> dict[str, Any]:
    limits = spec.limits
    resources: dict[str, Any] = {}
    if limits.memory_bytes is not None:
        # Swap counts in `swap`: equal means none on top.
        resources["memory"] = {"limit": limits.memory_bytes, "swap": limits.memory_bytes}
    if limits.cpus is not None:
        resources["cpu"] = {"period": 100_000, "quota": max(1000, round(limits.cpus * 100_000))}
    if limits.cpu_shares is not None:
        resources.setdefault("cpu", {})["shares"] = limits.cpu_shares
    if limits.pids is not None:
        resources["pids"] = {"limit": limits.pids}
    found: dict[str, Any] = {"resource_limits": resources} if resources else {}
    if limits.nofile is not None:
        nofile = min(limits.nofile, settings.nofile_ceiling or limits.nofile)
        found["r_limits"] = [_rlimit("nofile", nofile)]
        if settings.nproc is not None:
            found["r_limits"].append(_rlimit("nproc", settings.nproc))
    return found


def _rlimit(kind: str, value: int) -> dict[str, Any]:
    return {"type": kind, "hard": value, "soft": value}


def _security(spec: ContainerSpec, settings: PayloadSettings) -> dict[str, Any]:
    if spec.privileged:
        # Nothing else counts then; Podman confines it by no profile of its own.
        return {"privileged": True}
    found: dict[str, Any] = {}
    if spec.capabilities:
        found["cap_add"] = [f"CAP_{name}" for name in spec.capabilities]
    if profile := spec.seccomp_profile or settings.seccomp_profile:
        found["seccomp_profile_path"] = profile
    if levels := sorted({mount.selinux_label for mount in spec.mounts if mount.selinux_label}):
        found["selinux_opts"] = ["type:container_t", f"level:{levels[0]}"]
    return found


def _namespaces(spec: ContainerSpec, settings: PayloadSettings, base: CompanionBase | None) -> dict[str, Any]:
    if base is not None and base.uid_map:
        same = {"UIDMap": _ranges(base.uid_map), "GIDMap": _ranges(base.gid_map)}
        return {"userns": {"nsmode": "container", "value": base.id}, "idmappings": same}
    if base is not None or not (spec.userns and settings.userns):
        return {}
    mappings = {
        "AutoUserNs": True,
        "AutoUserNsOpts": {"Size": settings.userns_size},
        "HostUIDMapping": False,
        "HostGIDMapping": False,
    }
    return {"userns": {"nsmode": "auto"}, "idmappings": mappings}


def _ranges(ranges: Sequence[IdRange]) -> list[dict[str, int]]:
    return [{"container_id": r.container_id, "host_id": r.host_id, "size": r.size} for r in ranges]
