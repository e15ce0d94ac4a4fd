"""What a runroot task sees of the host: mounts of its container, decided from the plugin's configuration (contract 4.7).

The plugin mounts on the builder, below the root. Here nothing is mounted on the host: the container gets bind mounts of
what the host has. So a path of another file system (nfs...) must be mounted on the host already; it is found there by its
source. Two holes of the plugin are closed: prefixes count by whole components, and a link on a shared volume does not
lead out of what its section allows.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import koji

from koji_adjutant.container.interface import MountKind, VolumeMount
from koji_adjutant.container.steps import BIN_DIR, STEPS_DIR
from koji_adjutant.tasks.host_volume import HostVolume, opened
from koji_adjutant.tasks.runroot_config import PathSection, RunrootConfig

OWN = ("/dev", "/proc", "/sys")
"""What every container has of its own; a mount of the host's there is left out."""
OF_ROOT = ("/tmp", "/var/tmp", "/builddir", "/dev/shm", STEPS_DIR, BIN_DIR)  # noqa: S108 - in the container
"""Where every root has a mount already (`buildroot.pair`), beside `chroot_tmpdir`: no place for a second one."""
TMPFS_BYTES = 1 << 30
MOUNTINFO = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Wanted:
    """One mount as the configuration resolves it; `source` as the section spells it."""

    source: str
    target: str
    base: str
    """The section's `path`, which `source` must not leave."""
    fstype: str
    options: tuple[str, ...]

    @property
    def read_only(self) -> bool:
        return "ro" in self.options


@dataclass(frozen=True)
class HostMount:
    """A line of mountinfo: where the host has `source` mounted."""

    source: str
    mount_point: str


def wanted_mounts(config: RunrootConfig, extra: Sequence[str]) -> tuple[Wanted, ...]:
    """Return the default mounts and those that a task asks for, in this order.

    Raises:
        koji.GenericError: the plugin's texts.
    """
    found = [_resolve(config, path, writable=False) for path in config.default_mounts]
    return (*found, *(_resolve(config, _substituted(config, path), writable=True) for path in extra))


def container_mounts(
    wanted: Iterable[Wanted], host: Sequence[HostMount], of_root: Sequence[str] = OF_ROOT
) -> tuple[HostVolume, ...]:
    """Find the mounts' sources on this host. Of two for one target the last counts, as where one is mounted over the other.

    Raises:
        koji.GenericError: a source is missing, leads elsewhere, or is a file system that the host has not mounted; or
            the target is one of those that the root has itself.
    """
    last = {_clean(each.target): each for each in wanted}
    for target in last:
        if target in map(_clean, of_root):
            raise koji.GenericError(f"invalid mount point: {target}: the root has a mount of its own there")
    return tuple(_mount(each, host) for target, each in last.items() if not _within_any(target, OWN))


def mounts_log(wanted: Iterable[Wanted], mounts: Sequence[VolumeMount]) -> str:
    """Return the text of do_mounts.log."""
    lines = [
        f"{mount.source or mount.kind.value} on {mount.target} ({'ro' if mount.read_only else 'rw'})"
        for mount in mounts
    ]
    given = {_clean(mount.target) for mount in mounts}
    lines += [f"{each.target}: the container has its own" for each in wanted if _clean(each.target) not in given]
    return "".join(f"{line}\n" for line in lines)


def host_mounts() -> tuple[HostMount, ...]:
    """Read what is mounted on this host."""
    return parse_mountinfo(MOUNTINFO.read_text())


def parse_mountinfo(text: str) -> tuple[HostMount, ...]:
    """Parse proc's mountinfo (`ID PARENT DEV ROOT MOUNTPOINT OPTIONS... - TYPE SOURCE SUPER`); whole file systems only."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if len(fields) > 4 and len(kind) > 1 and fields[3] == "/":
            found.append(HostMount(_unescaped(kind[1]), _unescaped(fields[4])))
    return tuple(found)


def _substituted(config: RunrootConfig, path: str) -> str:
    path = posixpath.normpath(path)
    if not path.startswith("/") or not _within_any(path, config.safe_roots) or "/../" in path:
        raise koji.GenericError(f"read-write mount point is not safe: {path}")
    for old, new in config.path_subs:
        path = path.replace(old, new)
    return path


def _resolve(config: RunrootConfig, path: str, *, writable: bool) -> Wanted:
    section = next((each for each in config.paths if _within(path, each.mountpoint)), None)
    if section is None:
        raise koji.GenericError("bad config: missing corresponding mountpoint")
    relative = path[len(section.mountpoint) :].lstrip("/")
    options = tuple("rw" if writable and option == "ro" else option for option in section.options)
    return Wanted(_joined(section, relative), path, section.path, section.fstype, options)


def _joined(section: PathSection, relative: str) -> str:
    return posixpath.join(section.path, relative) if relative else section.path


def _mount(wanted: Wanted, host: Sequence[HostMount]) -> HostVolume:
    if not wanted.target.startswith("/"):
        raise koji.GenericError(f"invalid mount point: {wanted.target}")
    if "bg" in wanted.options:
        raise koji.GenericError("bad config: background mount not allowed")
    if wanted.fstype == "tmpfs":
        return HostVolume(wanted.target, kind=MountKind.TMPFS, read_only=False, size_bytes=TMPFS_BYTES, mode=0o1777)
    base, source = wanted.base, wanted.source
    if not {"bind", "rbind"} & set(wanted.options):
        base, source = _on_host(wanted, host)
    try:
        real, identity = opened(source)
    except OSError as error:
        raise koji.GenericError(f"No such directory or mount: {source}") from error
    if not _within(real, os.path.realpath(base)):
        raise koji.GenericError(f"mount point is not safe: {source} is a link that leads out of {base}")
    executable = "noexec" not in wanted.options
    return HostVolume(wanted.target, real, read_only=wanted.read_only, executable=executable, identity=identity)


def _on_host(wanted: Wanted, host: Sequence[HostMount]) -> tuple[str, str]:
    """Return base and source of a mount of another file system, as the host has it."""
    for found in reversed(host):
        if _within(wanted.source, found.source) and _within(wanted.base, found.source):
            outside = len(found.source.rstrip("/"))
            return found.mount_point + wanted.base[outside:], found.mount_point + wanted.source[outside:]
    raise koji.GenericError(
        f"Unable to mount {wanted.target}: this builder mounts no {wanted.fstype} itself, and {wanted.base} is not mounted "
        "on its host; mount it there, or let the path section of runroot.conf say `path = DIRECTORY` and `options = bind,ro`"
    )


def _clean(target: str) -> str:
    # Two slashes at the beginning are kept by normpath.
    return re.sub("^//", "/", posixpath.normpath(target))


def _within_any(path: str, parents: Iterable[str]) -> bool:
    return any(_within(path, parent) for parent in parents)


def _within(path: str, parent: str) -> bool:
    parent = parent.rstrip("/")
    return path == parent or path.startswith(f"{parent}/")


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
