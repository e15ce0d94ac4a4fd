"""Companions in a pod: containers beside `task` that reach its root through `/proc`, and die by themselves."""

from __future__ import annotations

import posixpath
import threading
from collections.abc import Callable

import structlog

from koji_adjutant.container.interface import ContainerHandle, ContainerRunResult
from koji_adjutant.container.kubernetes_labels import PodRef
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import ContainerError

BUSYBOX = f"{BIN_DIR}/busybox"
TIMEOUT = 60.0
Run = Callable[[ContainerHandle, list[str]], ContainerRunResult]
"""Runs a command of root in a container; raises as `ContainerManager.exec` does."""

# The containers of a pod share their processes; each has a mount namespace of its own. The first program of a container is
# the oldest process of its namespace (field 22 of stat: when it started).
_OURS = 'me=$(readlink /proc/self/ns/mnt); for p in /proc/[0-9]*; do [ "$(readlink $p/ns/mnt)" = "$me" ] || continue; '
FIRST_PROGRAM = (
    f"({_OURS} s=$(sed 's/.*) //' $p/stat | cut -d' ' -f20) && echo \"$s ${{p#/proc/}}\"; done) 2>/dev/null"
    " | sort -n | head -n 1 | cut -d' ' -f2"
)
SHOW_ROOT = 'mkdir -p "${2%/*}/" && { [ -L "$2" ] || rmdir "$2" 2>/dev/null || true; } && ln -sfn "/proc/$1/root" "$2"'
END_ALL = f'{_OURS} [ "${{p#/proc/}}" = $$ ] || kill -9 "${{p#/proc/}}"; done 2>/dev/null; kill -9 $$'

_log = structlog.get_logger(__name__)


class Companions:
    """The companions of this daemon's pods. Thread-safe."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._joined: set[PodRef] = set()

    def joined(self, ref: PodRef) -> bool:
        """Whether a companion has been shown the root, by this daemon."""
        with self._lock:
            return ref in self._joined

    def join(self, companion: ContainerHandle, first: ContainerHandle, root: str) -> None:
        """Let `root` lead to the root of `first`, in the companion. Safe to repeat.

        Raises:
            ContainerError: `join`. As `exec` does.
        """
        found = self._run(first, [BUSYBOX, "sh", "-c", FIRST_PROGRAM])
        pid = found.stdout.decode("ascii", "replace").strip()
        if not pid.isdigit():
            raise _failed(companion, f"no first process was found in {first.name}", found)
        done = self._run(companion, [BUSYBOX, "sh", "-c", SHOW_ROOT, "sh", pid, posixpath.normpath(root)])
        if done.exit_code != 0:
            raise _failed(companion, f"{root} cannot be made", done)
        with self._lock:
            self._joined.add(PodRef.parse(companion))

    def end(self, companion: ContainerHandle) -> None:
        """Kill everything that runs in a companion: it cannot be taken out of its pod. Returns when that was done."""
        try:
            self._run(companion, [BUSYBOX, "sh", "-c", END_ALL])
        except ContainerError as error:
            # Its own stream dies with it.
            _log.debug("companion.ended", container=companion.name, said=error.brief)
        with self._lock:
            self._joined.discard(PodRef.parse(companion))


def _failed(companion: ContainerHandle, why: str, result: ContainerRunResult) -> ContainerError:
    return ContainerError(
        f"{companion.name} cannot be shown the root it is for: {why}",
        details=result.stderr[:2000].decode("utf-8", "replace"),
        reason="join",
    )
