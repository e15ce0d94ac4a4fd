"""Follows the task of a one-person build: phases for the terminal, build.log while it grows, the end."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from koji_adjutant.cli.build_outcome import InfrastructureError
from koji_adjutant.cli.build_phases import Phase, attempt_of, phase_of
from koji_adjutant.cli.build_progress import Progress
from koji_adjutant.cli.build_request import BuildRequest
from koji_adjutant.cli.desk_builder import KEEP_SECONDS, DeskBuilder
from koji_adjutant.cli.desk_hub import DeskHub
from koji_adjutant.manager.running import RunningTask
from koji_adjutant.minihub.tasks import CLOSED, FAILED, OPEN
from koji_adjutant.tasks.kept_root import keep_root

TAKE_SECONDS = 60.0
"""In which the builder of this process must have taken the task."""
TICK = 0.1
BUILD_LOG = "build.log"
PIECE = 1 << 16
LOG_OF = {Phase.ROOT: "root.log", Phase.REQUIRES: "root.log"}
"""Logs in which a phase writes; the others write in build.log."""
LAST_BYTES = 1024


class Watch:
    """One task. Main thread only."""

    def __init__(
        self, request: BuildRequest, hub: DeskHub, builder: DeskBuilder, progress: Progress, task: int
    ) -> None:
        self._request = request
        self._hub = hub
        self._builder = builder
        self._progress = progress
        self._task = task
        self._attempt = 1
        self._shown = 0
        self._running: RunningTask | None = None
        self.prepared = False
        """Whether the root came from a prepared image."""

    def until_ended(self) -> None:
        """Return when the task has ended or was given back.

        Raises:
            InfrastructureError: the builder of this process ended, or does not take the task.
        """
        self._progress.begin(Phase.ROOT)
        running = self._taken()
        if running is None:
            return
        if self._request.keep:
            keep_root(running.context.directory, time.time() + KEEP_SECONDS)
        self._running = running
        while not running.ended.wait(TICK) and self._hub.state(self._task) == OPEN:
            self._check_builder()
            self._look(running)
            self._progress.tick()
        self._look(running)

    def until_removed(self) -> None:
        """Return when the task's containers are gone, as far as they are to go."""
        if self._running is None or self._running.ended.is_set():
            return
        self._progress.begin(Phase.REMOVE)
        while not self._running.ended.wait(TICK):
            self._check_builder()
            self._progress.tick()
        self._progress.end()

    def result(self) -> Any:
        """Return what the hub has for the task; a fault as a dict, None for a task that has not ended."""
        if self._hub.state(self._task) not in {CLOSED, FAILED}:
            return None
        return self._hub.hub.call("getTaskResult", self._task, raise_fault=False)

    def show_rest(self) -> None:
        """Show what build.log got after the last look."""
        self._show(self._hub.output_directory(self._task) / BUILD_LOG)

    def _taken(self) -> RunningTask | None:
        """Wait for the task's thread; None when the task was refused."""
        deadline = time.monotonic() + TAKE_SECONDS
        while time.monotonic() < deadline:
            running = self._builder.running(self._task)
            if running is not None:
                return running
            if self._hub.refusal(self._task):
                return None
            self._check_builder()
            self._progress.tick()
            time.sleep(TICK)
        raise InfrastructureError(f"the task was not taken within {TAKE_SECONDS:.0f} s; --debug shows more")

    def _check_builder(self) -> None:
        end = self._builder.ended
        if end is not None:
            raise InfrastructureError(f"the builder ended: {end.text}", details=str(end.error or ""))

    def _look(self, running: RunningTask) -> None:
        journal = running.context.journal
        attempt = attempt_of(journal.done)
        if attempt != self._attempt:
            self._attempt = attempt
            self._progress.end("failed")
            self._progress.say(f"trying again, {attempt}. time")
        self.prepared = bool(journal.result(f"prepared-{attempt}"))
        phase = phase_of(journal.done, self._request.srpm.name)
        self._progress.begin(phase)
        if phase is Phase.ROOT:
            self._progress.note("from a prepared image" if self.prepared else "")
        logs = running.context.directory / "logs"
        self._progress.detail(last_line(logs / LOG_OF.get(phase, BUILD_LOG)))
        self._show(logs / BUILD_LOG)

    def _show(self, log: Path) -> None:
        if not self._request.verbose:
            return
        try:
            with log.open("rb") as stream:
                stream.seek(self._shown)
                while piece := stream.read(PIECE):
                    self._shown += len(piece)
                    self._progress.raw(piece)
        except FileNotFoundError:
            pass


def last_line(log: Path) -> str:
    """Return the last line of a log that says anything, empty if there is none yet."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - LAST_BYTES))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
