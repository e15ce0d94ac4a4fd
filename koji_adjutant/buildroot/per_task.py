"""What is written into a root for each task, after the image: users, work area, macro file, identity, name resolution.

Never part of a prepared image (design section 6.3): a machine-id or a resolver of another task must not come along.
Delivered as one script for the static busybox in `task`, since the root is assumed to hold nothing: one request in all.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from koji_adjutant.buildroot.macros import macro_file
from koji_adjutant.buildroot.settings import HOME, TOPDIR, RootSettings

BUILD_USER = "mockbuild"
BUILD_GROUP = "mock"
BUILD_UID = 1000
BUILD_GID = 135

WORK_DIRECTORIES = tuple(
    f"{TOPDIR}/{name}" for name in ("RPMS", "SPECS", "SRPMS", "SOURCES", "BUILD", "BUILDROOT", "originals")
)

LOCALHOST = b"""\
127.0.0.1 localhost localhost.localdomain
::1       localhost localhost.localdomain localhost6 localhost6.localdomain6
"""

PASSWD_LINE = f"{BUILD_USER}:x:{BUILD_UID}:{BUILD_GID}::{HOME}:/bin/bash"
GROUP_LINE = f"{BUILD_GROUP}:x:{BUILD_GID}:"


@dataclass(frozen=True)
class RootFile:
    """A file of a root."""

    path: str
    data: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class NameResolution:
    """The host's own, for roots with a network (kojid's setup_dns)."""

    hosts: bytes
    resolv_conf: bytes


def per_task_files(
    settings: RootSettings, *, machine_id: str, resolution: NameResolution | None = None
) -> tuple[RootFile, ...]:
    """Return the files; `machine_id` is 32 hex digits, another one for each task.

    Without a network hosts knows only localhost and resolv.conf is empty, so that name resolution fails at once.
    """
    online = resolution if settings.network else None
    return (
        RootFile("/etc/machine-id", machine_id.encode() + b"\n"),
        RootFile("/etc/hosts", online.hosts if online else LOCALHOST),
        RootFile("/etc/resolv.conf", online.resolv_conf if online else b""),
        RootFile(f"{HOME}/.rpmmacros", macro_file(settings.macros), uid=BUILD_UID, gid=BUILD_GID),
    )


def setup_script(
    files: Iterable[RootFile],
    *,
    directories: Sequence[str] = WORK_DIRECTORIES,
    busybox: str = "/run/adjutant/bin/busybox",
) -> bytes:
    """Return a script for `busybox sh -s` in `task`, as root. Safe to repeat; ends non-zero if anything failed."""
    lines = ["set -eu", f"b={shlex.quote(busybox)}", _FUNCTIONS]
    lines += [_user_lines(), f"$b mkdir -p {shlex.join([HOME, TOPDIR, *directories])}"]
    lines += [f"$b chown {BUILD_UID}:{BUILD_GID} {shlex.join([HOME, TOPDIR, *directories])}"]
    lines += [_put(file) for file in files]
    # As mock makes them; dbus and mount look there.
    lines += [
        "$b mkdir -p /var/lib/dbus",
        "[ -h /var/lib/dbus/machine-id ] || $b rm -f /var/lib/dbus/machine-id",
        "[ -h /var/lib/dbus/machine-id ] || $b ln -s ../../../etc/machine-id /var/lib/dbus/machine-id",
    ]
    return ("\n".join(lines) + "\n").encode()


_FUNCTIONS = """\
put() { # path mode owner base64: keeps a mount, replaces a symlink
    $b mkdir -p "$($b dirname "$1")"
    [ ! -h "$1" ] || $b rm -f "$1"
    printf %s "$4" | $b base64 -d > "$1"
    $b chmod "$2" "$1"
    $b chown "$3" "$1"
}
entry() { # file name line: replaces the line of that name, keeps mode and owner of the file
    $b awk -F: -v name="$2" '$1 != name' "$1" > "$1.adjutant"
    printf '%s\\n' "$3" >> "$1.adjutant"
    $b cat "$1.adjutant" > "$1"
    $b rm -f "$1.adjutant"
}"""


def _user_lines() -> str:
    return "\n".join(
        (
            "$b mkdir -p /etc",
            "[ -e /etc/passwd ] || : > /etc/passwd",
            "[ -e /etc/group ] || : > /etc/group",
            f"entry /etc/passwd {BUILD_USER} {shlex.quote(PASSWD_LINE)}",
            f"entry /etc/group {BUILD_GROUP} {shlex.quote(GROUP_LINE)}",
            f"[ ! -e /etc/shadow ] || entry /etc/shadow {BUILD_USER} {shlex.quote(BUILD_USER + ':!!:::::::')}",
            f"[ ! -e /etc/gshadow ] || entry /etc/gshadow {BUILD_GROUP} {shlex.quote(BUILD_GROUP + ':!::')}",
        )
    )


def _put(file: RootFile) -> str:
    data = base64.b64encode(file.data).decode()
    # printf of the shell is a builtin: no limit on the length of an argument.
    return f"put {shlex.quote(file.path)} {file.mode:o} {file.uid}:{file.gid} {shlex.quote(data)}"
