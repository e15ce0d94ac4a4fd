"""Base of all task handlers: koji's `BaseTaskHandler` made fit for threads, interruption and adoption (contract 3.1).

kojid forks a process for each task, and its handlers sleep in `signal.pause`. Ours run in threads, so everything in the
base class that forks, changes directory or waits for a signal is replaced here; what handlers and plugins rely on stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import koji
import koji.tasks
import koji.util

from koji_adjutant.deep_trees import remove_tree
from koji_adjutant.errors import AdjutantError
from koji_adjutant.hub.downloads import TopURLs
from koji_adjutant.hub.refusals import CallUncertain
from koji_adjutant.hub.uploads import upload_file
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.journal import Recover
from koji_adjutant.tasks.progress import WAIT
from koji_adjutant.tasks.stranded import stranded

WAIT_POLL = 60.0
"""Seconds after which a waiting parent asks by itself, should a wake-up be lost (contract 2.9, 5)."""


class ThreadedTask(koji.tasks.BaseTaskHandler):
    """Mixin for handlers that run in a thread of the daemon. The manager calls `bind` before `run`."""

    context: TaskContext

    def bind(self, context: TaskContext) -> None:
        """Give the handler its context; called once, before anything but the constructor."""
        self.context = context

    def run(self) -> Any:
        """Call the handler with its arguments checked, in a fresh work directory (contract 3.1)."""
        self.createWorkdir()
        try:
            return koji.util.call_with_argcheck(self.handler, self.params, self.opts)
        finally:
            self.removeWorkdir()

    def once(self, name: str, act: Callable[[], Any], *, recover: Recover | None = None, note: Any = None) -> Any:
        """Do an act with an effect at most once over all runs of this task: see `Journal.once`."""
        self.context.interruption.check()
        journal = self.context.journal
        try:
            return journal.once(name, act, recover=recover, note=note)
        except CallUncertain:
            # The hub has acted and only its answer was lost. The intent is on record, so this asks what came of it;
            # an act that may be repeated is repeated.
            return journal.once(name, act, recover=recover, note=note)

    def subtask(self, method: str, arglist: Sequence[Any], **opts: Any) -> int:
        """Create a child. One with a label is made once over all runs of the task: the hub finds it again by its label."""

        def create() -> int:
            return int(self.session.host.subtask(method=method, arglist=arglist, parent=self.id, **opts))

        label = opts.get("label")
        return int(self.once(f"subtask-{label}", create)) if label is not None else create()

    def createWorkdir(self) -> None:  # noqa: N802 - koji's name
        if self.workdir is None:
            return
        self.removeWorkdir()
        Path(self.workdir).mkdir(parents=True)

    def removeWorkdir(self) -> None:  # noqa: N802 - koji's name
        """Remove the work directory; nothing is ever mounted below it, so no unmounting and no fork."""
        if self.workdir is not None:
            remove_tree(Path(self.workdir))

    def localPath(self, relpath: str) -> str:  # noqa: N802 - koji's name
        """Download `<topurl>/<relpath>` once into the work directory, return where it is (contract 6.1).

        Raises:
            koji.GenericError: the path leads elsewhere; it may come from whoever asked for the task.
        """
        if ".." in Path(relpath).parts or Path(relpath).is_absolute():
            raise koji.GenericError(f"Invalid path: {relpath}")
        target = Path(self.workdir) / "local" / relpath
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            TopURLs(self.options.topurls).fetch(relpath, target, interrupt=self.context.interruption.event)
        return str(target)

    def uploadFile(  # noqa: N802 - koji's name
        self,
        filename: str,
        relPath: str | None = None,  # noqa: N803 - koji's name
        remoteName: str | None = None,  # noqa: N803 - koji's name
        volume: str | None = None,
    ) -> None:
        """Upload a file below the task's directory, checksummed; empty files too."""
        directory = self.getUploadDir() + (f"/{relPath}" if relPath else "")
        upload_file(self.session, Path(filename), directory, name=remoteName, volume=volume)

    def wait(
        self,
        subtasks: Sequence[int] | int | None = None,
        all: bool = False,  # noqa: A002 - koji's name
        failany: bool = False,
        canfail: Sequence[int] | None = None,
        timeout: float | None = None,
    ) -> dict[int, Any]:
        """Wait for children as contract 2.9 has it, woken by the manager instead of a signal.

        Safe to repeat after adoption: the hub knows which children are awaited.
        """
        if isinstance(subtasks, int):
            subtasks = [subtasks]
        checked = set(canfail or ())
        deadline = None if timeout is None else time.monotonic() + timeout
        self.session.host.taskSetWait(self.id, subtasks)
        self._announce(subtasks or ())
        while True:
            self.context.wake.clear()
            finished, unfinished = self.session.host.taskWait(self.id)
            if not unfinished or (finished and not all):
                break
            if all and failany:
                self._raise_first_failure([task for task in finished if task not in checked])
                checked.update(finished)
            if self._pause(deadline, timeout):
                self._check_hosts_of([child for child in unfinished if child not in (canfail or ())])
        self._announce(())
        if all:
            finished = subtasks
        return dict(self.session.host.taskWaitResults(self.id, finished, canfail=canfail))

    def _raise_first_failure(self, finished: Sequence[int]) -> None:
        for task in finished:
            try:
                self.session.getTaskResult(task)
            except (koji.GenericError, Fault):
                self.session.cancelTaskChildren(self.id)
                raise

    def _announce(self, children: Sequence[int]) -> None:
        self.context.awaited = frozenset(children)
        self.context.progress.enter(WAIT if children else "work")
        if children:
            self.context.on_awaited()

    def _check_hosts_of(self, children: Sequence[int]) -> None:
        """Fail if a child is lost on a dead host, which nobody would ever notice (see `stranded`)."""
        for child in children:
            if why := self._stranded(child):
                self.session.cancelTaskChildren(self.id)
                raise koji.GenericError(why)

    def _stranded(self, child: int) -> str | None:
        try:
            return stranded(self.session, child, time.time())
        except (koji.GenericError, Fault) as error:
            if isinstance(error, koji.AuthError):
                raise
            # A hub that cannot say it is no reason to fail.
            self.context.log.warning("task.child_not_looked_at", child=child, error=str(error))
            return None

    def _pause(self, deadline: float | None, timeout: float | None) -> bool:
        """Wait to be woken; True: nobody did."""
        pause = WAIT_POLL
        if deadline is not None:
            pause = min(pause, deadline - time.monotonic())
            if pause <= 0:
                self.session.cancelTaskChildren(self.id)
                raise koji.GenericError(f"Subtasks timed out after {timeout:.1f} seconds")
        # The interruption sets `wake` as well, so one event is enough to wait for.
        woken = self.context.wake.wait(pause)
        self.context.interruption.check()
        return not woken

    def run_callbacks(self, plugin: str, *args: Any, **kwargs: Any) -> None:
        """Run callbacks of plugins (contract 3.4). What their own process has made of an error is not wrapped again."""
        try:
            super().run_callbacks(plugin, *args, **kwargs)
        except koji.CallbackError as error:
            if isinstance(error.__context__, koji.CallbackError | AdjutantError):
                raise error.__context__ from None
            raise

    def sleep(self, seconds: float) -> None:
        """Sleep, but end at once when the daemon stops or the task is cancelled."""
        self.context.interruption.sleep(seconds)


def adapt(handler: type[koji.tasks.BaseTaskHandler], /, **members: Any) -> type[koji.tasks.BaseTaskHandler]:
    """Make a handler of koji's own library run in a thread; `members` replace methods that fork or sleep."""
    return type(handler.__name__, (ThreadedTask, handler), dict(members))


HandlerTable = Mapping[str, type[koji.tasks.BaseTaskHandler]]
"""Task method -> handler class."""
