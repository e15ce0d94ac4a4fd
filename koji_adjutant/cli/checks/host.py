"""Checks of this machine: state directory, disk, topdir, subordinate ids."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from koji_adjutant.cli.checks.check import Finding, note
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.config.runtime import PodmanSection

AUTO_USERNS_USER = "containers"
"""Whose ranges root's Podman takes for `--userns=auto`."""


def check_state_dir(directory: Path, minspace_mb: int) -> Sequence[Finding]:
    """Look whether `directory` can be written, or made, and has `minspace_mb` free."""
    place = _nearest_existing(directory)
    if not place.is_dir():
        return [Finding(f"{place} is not a directory", "Set state_dir in adjutant.yaml to a directory.")]
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return [
            Finding(
                f"{place} cannot be written: {error.strerror}",
                f"Let the daemon's user write {directory}, or set state_dir.",
            )
        ]
    free = shutil.disk_usage(place).free >> 20
    if free < minspace_mb:
        return [
            Finding(
                f"{place} has {free} MB free, less than minspace ({minspace_mb} MB): no task would be taken",
                "Free disk space, or lower minspace in kojid.conf.",
            )
        ]
    return []


def check_topdir(topdir: str, artifacts: str) -> Sequence[Finding]:
    """Look at the mount of the hub's files: needed for writing with `artifacts: topdir`, else only by repo tasks."""
    if artifacts == "topdir":
        work = os.path.join(topdir, "work")
        if not os.path.isdir(work) or not os.access(work, os.W_OK | os.X_OK):
            return [
                Finding(
                    f"{work} is no directory this user can write, and `artifacts: topdir` puts results there",
                    "Mount the hub's topdir writable, set topdir in kojid.conf, or use `artifacts: upload`.",
                )
            ]
        return []
    if not os.path.isdir(topdir) or not os.access(topdir, os.R_OK | os.X_OK):
        return [
            note(
                f"topdir {topdir} is not mounted: tasks that read the hub's files from disk, such as createrepo, are refused",
                "Mount it read-only if this host is to take such tasks.",
            )
        ]
    return []


def check_subordinate_ids(
    podman: PodmanSection, owner: str, jobs: int, files: Sequence[Path] = (Path("/etc/subuid"), Path("/etc/subgid"))
) -> Sequence[Finding]:
    """Look whether user namespaces for `jobs` builds at once can be had from the ranges of `owner`."""
    findings = []
    for file in files:
        have = ids_of(file, owner)
        if have < podman.userns_size:
            wanted = podman.userns_size * jobs
            findings.append(
                Finding(
                    f"{file} gives {owner} {have} ids; one build needs {podman.userns_size}",
                    f"Add a line `{owner}:FIRST:{wanted}` (for {jobs} builds at once) with FIRST above all other ranges.",
                )
            )
        elif have < podman.userns_size * jobs:
            findings.append(
                note(
                    f"{file} gives {owner} {have} ids: {have // podman.userns_size} builds at once, maxjobs is {jobs}",
                    f"Make the range {podman.userns_size * jobs} long, or lower maxjobs.",
                )
            )
    return findings


def ids_of(file: Path, owner: str) -> int:
    """Sum the ranges of `owner` in a file of the form of subuid(5); 0 if there is no such file."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    fields = [line.split(":") for line in lines]
    return sum(
        int(parts[2]) for parts in fields if len(parts) == 3 and parts[0] == owner and parts[2].strip().isdigit()
    )


def userns_owner(config: AdjutantConfig) -> str | None:
    """Return whose ranges the Podman service takes; None for a service that is not on this machine."""
    url = urlsplit(config.podman.socket_url(os.environ, os.getuid()))
    if not url.scheme.endswith("unix"):
        return None
    try:
        uid = os.stat(url.path).st_uid
    except OSError:
        uid = os.getuid()
    if uid == 0:
        return AUTO_USERNS_USER
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _nearest_existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
