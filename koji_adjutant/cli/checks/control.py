"""Check of the control socket: whether a daemon could serve it where the configuration has it."""

from __future__ import annotations

import grp
import os
from collections.abc import Sequence

from koji_adjutant.cli.checks.check import Finding, note
from koji_adjutant.config.model import AdjutantConfig

SOCKET_PATH_BYTES = 107
"""What Linux takes as the path of a Unix socket."""


def check_control(config: AdjutantConfig) -> Sequence[Finding]:
    """Look at path and group of the socket; `state_dir` itself may still have to be made."""
    path = config.control.path(config.state_dir)
    if path is None:
        return [note("control.socket is off: `koji-adjutant status`, `drain` and the like cannot ask the daemon", "")]
    findings = []
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
        findings.append(
            Finding(
                f"{path} is longer than the {SOCKET_PATH_BYTES} bytes that a socket's path may have",
                "Set control.socket to a shorter path.",
            )
        )
    if path.parent != config.state_dir and not path.parent.is_dir():
        findings.append(
            Finding(
                f"{path.parent}, the directory of control.socket, does not exist", "Make it, for example by tmpfiles.d."
            )
        )
    group = config.control.group
    if group is not None:
        try:
            grp.getgrnam(group)
        except KeyError:
            findings.append(
                Finding(
                    f"control.group is {group!r}, which is no group of this machine", "Make it (groupadd --system)."
                )
            )
        if path.parent == config.state_dir:
            findings.append(
                note(
                    f"control.group {group} cannot reach the socket in state_dir, which is closed to others",
                    "Set control.socket to a path in a directory that the group may enter.",
                )
            )
    return findings
