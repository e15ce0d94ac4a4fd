"""A failed task's root that is kept for `saveFailedTree` (design section 6.6): one file in the task's directory.

Labels of a container cannot be changed once it is made, so the decision to keep it stands on disk, beside the journal.
"""

from __future__ import annotations

import time
from pathlib import Path

from koji_adjutant.disk import NEARLY_NOTHING, free_bytes, is_full
from koji_adjutant.errors import ContainerError
from koji_adjutant.tasks.context import TaskContext

KEEP_FILE = "keep-until"
"""Holds the unix time until which directory and containers of the task are spared by clean-up and sweep."""


def keep_root(directory: Path, until: float) -> bool:
    """Spare the task's directory and containers until the unix time `until`. Safe to repeat.

    Returns False, and nothing is kept, when the disk is full: then the root is what other tasks need to go. While there is
    merely less than `minspace`, the sweep drops the oldest.
    """
    free = free_bytes(directory)
    if free is not None and free < NEARLY_NOTHING:
        return False
    fresh = directory / f"{KEEP_FILE}.new"
    try:
        fresh.write_text(f"{until!r}\n")
        fresh.replace(directory / KEEP_FILE)
    except OSError as error:
        if not is_full(error):
            raise
        fresh.unlink(missing_ok=True)
        return False
    return True


def keep_failed_root(context: TaskContext, error: BaseException) -> None:
    """Keep the root of this failed task as long as kojid.conf says; the rest of the pair is of no more use.

    Not after an `error` that is the infrastructure's, or a disk's that this root has filled. What goes wrong here is only
    logged: the task has failed with `error`, which is the caller's to say.

    Raises:
        Interrupted, SessionLost: the task does not end here and now.
    """
    if isinstance(error, ContainerError) or is_full(error) or not getattr(error, "root_may_stay", True):
        return
    try:
        if not keep_root(context.directory, time.time() + context.options.failed_buildroot_lifetime):
            context.log.warning("task.root_not_kept", reason="the disk is full", path=str(context.directory))
            return
        for info in context.runtime.list_managed(context.labels("tools")):
            context.runtime.remove(info.handle)
    except (ContainerError, OSError) as trouble:
        context.log.warning("task.root_not_kept", reason=str(trouble), path=str(context.directory))


def kept_until(directory: Path) -> float | None:
    """Return the time until which the task is kept, None if it is not; an unreadable file keeps nothing."""
    try:
        return float((directory / KEEP_FILE).read_text())
    except (OSError, ValueError):
        return None
