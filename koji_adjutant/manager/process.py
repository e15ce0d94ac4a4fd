"""The daemon as a process: limits, background, exec of its successor."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence

import koji
import koji.util
import structlog

log = structlog.get_logger(__name__)

FORCE_LOCK = "--force-lock"


def set_topdir(topdir: str) -> None:
    """Tell koji's library where the hub's files are mounted, as kojid does (contract 1.2 #3)."""
    koji.BASEDIR = topdir
    koji.pathinfo.topdir = topdir


def apply_rlimits(limits: Mapping[str, str]) -> None:
    """Set `RLIMIT_*` of kojid.conf for the daemon and its children; a bad one is logged and left out (contract 1.2 #9)."""
    koji.util.setup_rlimits(dict(limits), logging.getLogger("koji.build"))


def go_to_background() -> None:
    """Detach as kojid does: own session, directory /, standard streams on /dev/null. Before any thread is started."""
    koji.daemonize()


def successor(argv: Sequence[str], *, locked: bool) -> list[str]:
    """Return the command line of the process that takes our place.

    `argv` is `sys.orig_argv`. `locked`: the exclusive session could not be given back, so the successor has to take it from
    us by force, as kojid's unit always does (contract 1.8).
    """
    command = [sys.executable, *argv[1:]]
    return [*command, FORCE_LOCK] if locked and FORCE_LOCK not in command else command


def exec_successor(*, locked: bool) -> None:
    """Replace this process; does not return. Threads end with it, no task runs."""
    command = successor(sys.orig_argv, locked=locked)
    log.warning("daemon.restarting", command=command)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(command[0], command)  # noqa: S606 - our own command line
