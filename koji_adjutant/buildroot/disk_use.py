"""Whether a build failed on a full disk, and how much of it is its own: looked at when a step has failed (design section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from koji_adjutant.deep_trees import files_below
from koji_adjutant.disk import NEARLY_NOTHING, free_bytes, mount_point

EVIDENCE = (b"No space left on device", b"Disk quota exceeded")
"""What programs print. Alone it proves nothing: test suites write to /dev/full."""


@dataclass(frozen=True)
class DiskUse:
    """A full file system and a task's part in it, in bytes. `promised` was free when the task was taken."""

    mount: Path
    free: int
    used: int
    promised: int

    @property
    def beyond_promise(self) -> bool:
        """Whether the build needs more than any host of this configuration promises it."""
        return self.used >= self.promised

    def __str__(self) -> str:
        return f"no space left on {self.mount}: {self.free >> 20} MB free, {self.used >> 20} MB used by this build"


def full_disk(directory: Path, promised: int, log_tail: bytes) -> DiskUse | None:
    """Return what is known of the disk below a task's `directory` if it is full, None if it is not.

    A build that cleans up when a write fails leaves some room behind: then its log and less than what was promised count.
    """
    free = free_bytes(directory)
    if free is None:
        return None
    told = any(text in log_tail for text in EVIDENCE)
    if free >= NEARLY_NOTHING and not (told and free < promised):
        return None
    return DiskUse(mount_point(directory), free, used_bytes(directory), promised)


def used_bytes(directory: Path) -> int:
    """Return what the files below `directory` take of its file system; what cannot be looked at counts nothing."""
    try:
        device = directory.stat().st_dev
    except OSError:
        return 0
    mine = (found for found in files_below(directory) if found.st_dev == device)
    return sum(found.st_blocks * 512 // max(1, found.st_nlink) for found in mine)
