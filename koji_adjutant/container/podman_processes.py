"""Processes of a command in a container, found and killed from the host.

A command that is out of time may have forked twice and left its session. Every exec carries a random mark in its
environment, which children inherit; a process that has wiped it must have been written to hide, and dies with its
container at the latest. Signals go by pidfd, so that a reused pid is never hit.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

EXEC_MARK = "ADJUTANT_EXEC"
"""Environment variable with the mark of an exec."""
ROUNDS = 20


def kill_marked(mark: str, proc: Path = Path("/proc")) -> int:
    """Kill all processes that carry `mark`, and those they fork meanwhile; return how many could not be reached."""
    wanted = f"{EXEC_MARK}={mark}".encode()
    unreachable = 0
    for attempt in range(ROUNDS):
        found = list(_marked(proc, wanted))
        if not found:
            return 0
        unreachable = sum(not _kill(pid, wanted, proc) for pid in found)
        if unreachable == len(found):
            break
        time.sleep(min(0.001 * 2**attempt, 0.05))
    return unreachable


def _marked(proc: Path, wanted: bytes) -> Iterator[int]:
    for entry in proc.iterdir():
        if entry.name.isdigit() and _carries(entry, wanted):
            yield int(entry.name)


def _carries(process: Path, wanted: bytes) -> bool:
    try:
        return wanted in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        # Gone, or of another user: not one of ours to kill.
        return False


def _kill(pid: int, wanted: bytes, proc: Path) -> bool:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if _carries(proc / str(pid), wanted):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    finally:
        os.close(fd)
    return True


def kill_process(pid: int) -> bool:
    """Kill one process; False if it cannot be reached."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def kill_monitors(container_id: str, proc: Path = Path("/proc")) -> None:
    """End the `conmon` processes of a removed container, or of an ended exec session (by its id).

    Podman leaves two of them for five minutes after each exec, and then starts a `podman` process to forget the session.
    """
    for entry in proc.iterdir():
        if entry.name.isdigit() and _monitors(entry, container_id.encode()):
            _signal_monitor(int(entry.name), container_id.encode(), proc)


def _monitors(process: Path, container_id: bytes) -> bool:
    try:
        argv = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return argv[0].rpartition(b"/")[2] == b"conmon" and container_id in argv


def _signal_monitor(pid: int, container_id: bytes, proc: Path) -> None:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _monitors(proc / str(pid), container_id):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    finally:
        os.close(fd)
