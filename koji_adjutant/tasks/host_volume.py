"""A directory of the host that was judged once, and is the one that a container got.

Between the judgement and the mount whoever can write to a shared volume may put a link in the place of a directory, and a
runtime follows it. What cannot be changed is which directory was judged: its device and inode number are compared inside the
container before anything of the task's runs there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import koji

from koji_adjutant.container.interface import ContainerHandle, ContainerManager, MountKind, VolumeMount
from koji_adjutant.container.steps import BIN_DIR

SECONDS = 120.0


@dataclass(frozen=True)
class HostVolume(VolumeMount):
    """A mount with what identifies its source; `identity` is empty where there is none (a tmpfs)."""

    identity: str = ""
    """As `stat -c %d:%i` says it."""

    def record(self) -> dict[str, Any]:
        """Return JSON data for a journal."""
        return asdict(self)

    @classmethod
    def from_record(cls, data: dict[str, Any]) -> HostVolume:
        """Read what `record` returned."""
        return cls(**{**data, "kind": MountKind(data["kind"])})


def opened(source: str) -> tuple[str, str]:
    """Return real path and identity of a directory, both of what was opened: nothing can come between the two.

    Raises:
        OSError: it is not there, or no directory.
    """
    # The component behind it makes automounts happen, which O_PATH alone does not.
    fd = os.open(os.path.join(source, "."), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        return os.readlink(f"/proc/self/fd/{fd}"), f"{status.st_dev}:{status.st_ino}"
    finally:
        os.close(fd)


def check_mounted(runtime: ContainerManager, handle: ContainerHandle, volumes: Sequence[HostVolume]) -> None:
    """Compare what a container has mounted with what was judged. May be repeated.

    Raises:
        koji.GenericError: a source was exchanged.
        ContainerError: the container cannot be asked.
    """
    for volume in volumes:
        if not volume.identity:
            continue
        argv = [f"{BIN_DIR}/busybox", "stat", "-L", "-c", "%d:%i", volume.target]
        result = runtime.exec(handle, argv, timeout=SECONDS)
        if result.exit_code or result.stdout.decode("ascii", "replace").strip() != volume.identity:
            raise koji.GenericError(
                f"mount point is not safe: {volume.target} is not the directory that {volume.source} was when it was "
                "checked; nothing was run"
            )
