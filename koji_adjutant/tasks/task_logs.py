"""The logs of one task: spooled on disk, uploaded while they grow, complete before the task is closed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import structlog

from koji_adjutant import __version__
from koji_adjutant.buildroot.step_logs import StepLogs
from koji_adjutant.container.start_notes import heard_by
from koji_adjutant.errors import HubError
from koji_adjutant.hub.log_spool import LogSpool
from koji_adjutant.hub.log_uploader import LogUploader
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.log_lines import LogLines

log = structlog.get_logger(__name__)

START_LOG = "start.log"
"""Why containers did not start at once, or had to be made anew; no such log where all went well."""
FINISH_SECONDS = 1800.0
"""How long the rest of the logs of a task that failed may take; of one that succeeded, until somebody is told of it."""


class TaskLogs:
    """Context manager around a handler's work. On the way out of an error the rest of the logs still goes up."""

    def __init__(self, context: TaskContext, *, build_log: bool = True) -> None:
        """`build_log`: the task's log is mock's, which is there even if rpmbuild never ran."""
        self._context = context
        self._build_log = build_log
        self.spool = LogSpool(context.directory / "logs", max_bytes_per_log=context.config.build.log_cap + (1 << 20))
        copy = context.config.monitoring.task_logs == "stdout"
        self._lines = LogLines(self.spool, context.task_id, context.method) if copy else None
        self.steps = StepLogs(self._lines or self.spool, context.journal.remember, context.interruption.event)
        self._session = context.new_session()
        self._uploader = LogUploader(
            self._session,
            self.spool,
            context.upload_dir,
            timestamps=context.options.log_timestamps,
            on_lost=lambda: context.interruption.cancel("the hub says that this host does not own the task any more"),
        )
        self._hearing = ExitStack()

    def __enter__(self) -> Self:
        self._hearing.enter_context(heard_by(self.note))
        if self._build_log:
            self.write("build-log-head", "build.log", lambda: f"koji-adjutant {__version__}\n")
        self._uploader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hearing.close()
        try:
            if error is not None and not self._context.interruption.event.is_set():
                self._uploader.finish(time.monotonic() + FINISH_SECONDS)
        finally:
            self._uploader.stop()
            if self._lines is not None:
                self._lines.close()
            # Its own troubles must not become those of a task that has done its work.
            self._session.close()

    def finish(self) -> list[str]:
        """Upload and verify what is left; return the paths below work/ of all logs, as the result names them.

        Takes as long as the hub is away, an outage fails no work that is done (contract 8.1.4); the task's interruption
        ends it.
        """
        while True:
            try:
                names = self._uploader.finish(time.monotonic() + FINISH_SECONDS)
            except HubError as error:
                if not error.retryable:
                    raise
                self._context.interruption.check()
                log.warning("logs.finish_delayed", directory=self._context.upload_dir, error=error.brief)
            else:
                return [f"{self._context.upload_dir}/{name}" for name in names]

    def state(self, text: str) -> None:
        """Write a line of mock's state.log and of its own output, once over all runs of the task."""
        self._context.progress.state(text)
        self.steps.line(f"state:{text}", "state.log", lambda: f"{_stamp(time.time())} - {text}\n")
        self.steps.line(f"mock_output:{text}", "mock_output.log", lambda: f"{text}\n")

    def remember(self, name: str, make: Callable[[], Any]) -> Any:
        """See `Journal.remember` of the task."""
        return self._context.journal.remember(name, make)

    def note(self, text: str) -> None:
        """Say what the container's start waits for, in a log that is there for it only, and on the page; empty: nothing."""
        self._context.progress.waits(text)
        if text:
            self.steps.line(f"start:{text}", START_LOG, lambda: f"{_stamp(time.time())} - {text}\n")

    def tail(self, log: str, size: int) -> bytes:
        """Return the last `size` bytes of a log, fewer if it is shorter."""
        return self.spool.tail(log, size)

    def write(self, name: str, log: str, text: Callable[[], str]) -> None:
        """Write a text once, at the end of `log`."""
        self.steps.line(name, log, text)


def _stamp(now: float) -> str:
    """Python logging's time stamp, which mock uses: local time, comma, milliseconds."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now)) + f",{int(now % 1 * 1000):03d}"
