"""The command of a live image, in kojid's order (contract 4.6). Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import koji

CREATOR = "/sbin/livemedia-creator"
LOGS, OUT_LOG, RESULT = "lmc-logs", "livemedia-out.log", "lmc"
"""Below `chroot_tmpdir`: directory of the logs, the creator's own log, directory of the image."""
VOLUME_ID = 32
"""Characters of an ISO's volume id."""
SHORT = {
    "Astronomy_KDE": "AstK",
    "Atomic": "AH",
    "Beta": "B",
    "Cinnamon": "Cinn",
    "Cloud": "C",
    "Design_suite": "Dsgn",
    "Electronic_Lab": "Elec",
    "Everything": "E",
    "Games": "Game",
    "Images": "img",
    "Jam_KDE": "Jam",
    "MATE_Compiz": "MATE",
    "Python-Classroom": "Clss",
    "Python_Classroom": "Clss",
    "Rawhide": "rawh",
    "Robotics": "Robo",
    "Scientific_KDE": "SciK",
    "Security": "Sec",
    "Server": "S",
    "Workstation": "WS",
    "WorkstationOstree": "WS",
}
"""How composes shorten words of a volume id: an installed system finds its medium by it."""

Facts = tuple[str, str, str, str]
"""Name, version, release and arch of the image."""


@dataclass(frozen=True)
class Paths:
    """Places in the root: kojid's tmpdir, the kickstart, the templates of lorax if there are some."""

    tmp: str
    kickstart: str
    templates: str | None = None


def iso_name(facts: Facts) -> str:
    """Return the image's file name."""
    name, version, release, arch = facts
    return f"{name}-{arch}-{version}-{release}.iso"


def volume_id(facts: Facts, asked: str | None) -> str:
    """Return the volume id, the one asked for or one made of name, version and release.

    Raises:
        koji.LiveMediaError: kojid's text.
    """
    if asked:
        if len(asked) > VOLUME_ID:
            raise koji.LiveMediaError("volume ID is longer than 32 characters")
        return asked
    parts = list(facts[:3])
    for long in sorted(SHORT, key=len, reverse=True):
        parts = [part.replace(long, SHORT[long]) for part in parts]
    return "-".join(parts)[:VOLUME_ID]


def media_command(facts: Facts, paths: Paths, opts: Mapping[str, Any], boot_arguments: str) -> list[str]:
    """Return argv."""
    name, version, _, arch = facts
    command = [CREATOR, "--ks", paths.kickstart]
    command += ["--logfile", posixpath.join(paths.tmp, LOGS, OUT_LOG), "--no-virt"]
    command += ["--resultdir", posixpath.join(paths.tmp, RESULT), "--project", name]
    command += ["--make-iso", "--volid", volume_id(facts, opts.get("volid")), "--iso-only"]
    command += ["--iso-name", iso_name(facts), "--releasever", version]
    command.append("--macboot" if arch == "x86_64" and not opts.get("nomacboot") else "--nomacboot")
    if boot_arguments:
        command += ["--extra-boot-args", f'"{boot_arguments}"']
    if paths.templates is not None:
        command += ["--lorax-templates", paths.templates]
    if opts.get("squashfs_only"):
        command.append("--squashfs-only")
    if isinstance(opts.get("compress_arg"), list | tuple):
        for argument in opts["compress_arg"]:
            command += ["--compress-arg", argument]
    return command
