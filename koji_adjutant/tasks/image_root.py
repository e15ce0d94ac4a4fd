"""What tasks that make images do in their root: commands as its root, files read and uploaded (contract 4.6, 4.7).

The root is privileged, so whatever runs in it is trusted with the machine; its files are still read as any build's: one by
one, by name, within bounds, links not followed.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import koji

from koji_adjutant.buildroot.root import ROOT_LOG
from koji_adjutant.container.steps import BIN_DIR, StepEnd, StepStatus
from koji_adjutant.errors import CopyError
from koji_adjutant.hub.names import plain_name
from koji_adjutant.hub.uploads import upload_file
from koji_adjutant.tasks.checkout import Checkout
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.root_parts import RootPlan
from koji_adjutant.tasks.root_work import OpenRoot
from koji_adjutant.tasks.task_logs import TaskLogs

TOOL_SECONDS = 30 * 86400.0
"""kojid sets no limit. A step that nobody follows ends much sooner."""
FIND_SECONDS = 60.0
TEXT_BYTES = 4 << 20
"""Largest description or kickstart."""
_FIND = 'PATH=/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin; command -v "$1" >/dev/null'


def privileged(plan: RootPlan) -> RootPlan:
    """Return the plan of a root with the machine's devices and rights."""
    return replace(plan, privileged=True, host_ids=True)


class ImageRoot:
    """An open root in which an image is made. Used by the task's thread only."""

    def __init__(self, context: TaskContext, logs: TaskLogs, opened: OpenRoot) -> None:
        self.opened = opened
        self.tmp = context.options.chroot_tmpdir
        """kojid's `tmpdir(within=True)`: where checkouts are and tools are run."""
        self._context = context
        self._logs = logs
        self._root = opened.root

    def has(self, program: str) -> bool:
        """Whether the root has a program, by name or path."""
        argv = [f"{BIN_DIR}/busybox", "sh", "-c", _FIND, "sh", program]
        return self._root.manager.exec(self._root.pair.task, argv, timeout=FIND_SECONDS).exit_code == 0

    def copy_checkout(self, checkout: Checkout, name: str) -> str:
        """Bring a checkout into the root, once; return its source directory there."""
        path = posixpath.join(self.tmp, name)
        done = f"{name}-copied-{self.opened.attempt}"
        return str(self._context.journal.remember(done, lambda: checkout.copy_into(self._root, path)))

    def run(self, step: str, argv: Sequence[str], *, workdir: str | None = None) -> StepStatus:
        """Run a command as root of the root, its output in root.log."""
        self._logs.state(f"Start: chroot {list(argv)}")
        status = self._root.root_step(step, argv, workdir=workdir or self.tmp, timeout=TOOL_SECONDS, log=ROOT_LOG)
        self._logs.state(f"Finish: chroot {list(argv)}")
        return status

    def read(self, path: str) -> bytes | None:
        """Return a small file of the root; None if there is none that can be read."""
        content = io.BytesIO()
        try:
            self._root.copy_from(path, content, max_bytes=TEXT_BYTES)
        except CopyError:
            return None
        return content.getvalue()

    def files(self, directory: str) -> dict[str, int]:
        """Return names and sizes of the regular files of a directory, in order of names; empty if it cannot be listed."""
        try:
            entries = self._root.list_files(directory)
        except CopyError:
            return {}
        return {entry.name: entry.size for entry in sorted(entries, key=lambda entry: entry.name) if entry.is_regular}

    def fetch(self, path: str) -> Path:
        """Copy a file of the root to the task's directory on this machine; the caller removes it.

        Raises:
            koji.BuildError: it is too large, no file, or not there.
        """
        local = self._context.directory / "upload"
        try:
            with local.open("wb") as stream:
                self._root.copy_from(path, stream, max_bytes=self._context.config.build.result_max_bytes)
        except CopyError as error:
            local.unlink(missing_ok=True)
            if error.reason == "disk-full":
                raise
            raise koji.BuildError(str(error)) from error
        return local

    def upload(self, path: str, name: str) -> None:
        """Upload a file of the root as `name`."""
        self.put(self.fetch(path), name)

    def put(self, local: Path, name: str) -> None:
        """Upload a file of this machine as `name`, and remove it.

        Raises:
            koji.BuildError: no file of a task may be called so.
        """
        try:
            if not plain_name(name) or name in self._logs.spool.names():
                raise koji.BuildError(f"no name for a file at the hub: {name!r}")
            upload_file(self._context.session, local, self._context.upload_dir, name)
        finally:
            local.unlink(missing_ok=True)

    def put_text(self, data: bytes, name: str) -> None:
        """Upload a text as `name`."""
        local = self._context.directory / "upload"
        local.write_bytes(data)
        self.put(local, name)

    def remove(self, path: str) -> None:
        """Remove a file of the root; one that is gone is fine."""
        argv = [f"{BIN_DIR}/busybox", "rm", "-f", "--", path]
        self._root.manager.exec(self._root.pair.task, argv, timeout=FIND_SECONDS)

    def write(self, data: bytes, path: str) -> None:
        """Write a file into the root; only before a tool has run there."""
        local = self._context.directory / "upload"
        local.write_bytes(data)
        try:
            self._root.put(local, path)
        finally:
            local.unlink(missing_ok=True)


def said(program: str, status: StepStatus) -> str:
    """Return koji's words for the end of a program."""
    if status.signal is not None:
        return f"{program} was killed by signal {status.signal}"
    if status.end is not StepEnd.EXITED:
        return f"{program} was ended: {status.end.value}"
    return f"{program} exited with status {status.exit_code}"
