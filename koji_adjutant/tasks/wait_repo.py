"""`waitrepo`: wait for a repo that is new enough or holds certain builds (contract 4.1).

koji's own watcher with another clock: kojid looks each 60 s, so that a repo made in 15 s holds a build up for a minute. Here
the pause grows with the wait: what comes soon is seen soon, and a long wait costs the hub no more than it does under kojid.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import koji.tasks
import koji.util

from koji_adjutant.tasks.base import ThreadedTask

SHORTEST, LONGEST = 2.0, 60.0
"""Bounds of the pause between two looks, in seconds; the longest is kojid's."""
SHARE = 0.1
"""The pause as a share of the time waited for the same thing so far: a wait is a tenth too long at most."""


def pause_after(waited: float) -> float:
    """Return the seconds until the next look, after `waited` seconds."""
    return min(LONGEST, max(SHORTEST, waited * SHARE))


class Watcher(koji.util.RepoWatcher):
    """Koji's watcher, whose pauses end when the task does."""

    TIMEOUT = koji.tasks.WaitrepoTask.TIMEOUT

    def __init__(self, task: ThreadedTask, tag: int | str, nvrs: Sequence[str] | None, min_event: Any) -> None:
        super().__init__(task.session, tag, nvrs=nvrs, min_event=min_event, logger=task.logger)
        self._interruption = task.context.interruption
        # The limit counts over all daemons that run the task.
        self.start = task.context.journal.remember("waiting-since", time.time)
        self._since = self.start

    def request(self, min_event: Any = None) -> Any:
        # From here on something happens at the hub: builds have come, a repo will be made soon.
        self._since = time.time()
        return super().request(min_event)

    def pause(self) -> None:
        self._interruption.sleep(pause_after(time.time() - self._since))


class WaitrepoTask(ThreadedTask):
    """Handles `waitrepo`. It changes nothing at the hub but asks for a repo, which may be asked for again."""

    Methods = ["waitrepo"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 0.2  # noqa: N815 - koji's name

    def handler(
        self,
        tag: int | str,
        newer_than: str | float | None = None,
        nvrs: Sequence[str] | None = None,
        min_event: int | str | None = None,
    ) -> dict[str, Any]:
        """Return the repo's info; kojid's parameters and errors."""
        if newer_than is not None:
            min_event = self._event_after(tag, newer_than, min_event)
        repo: dict[str, Any] = Watcher(self, tag, nvrs, min_event).waitrepo()
        return repo

    def _event_after(self, tag: int | str, newer_than: str | float, min_event: int | str | None) -> int | str:
        """Turn the older parameter into an event: the tag's first change after that time, else its last."""
        if min_event is not None:
            raise koji.GenericError("newer_than and min_event args confict")
        if isinstance(newer_than, str) and newer_than.lower() == "now":
            return "last"
        if not isinstance(newer_than, int | float):
            raise koji.GenericError(f"Invalid value for newer_than: {newer_than}")
        base = self.session.getLastEvent(before=newer_than, strict=False)
        # koji's own handler hands on the whole answer, which the hub refuses.
        event: int | None = self.session.tagFirstChangeEvent(tag, after=base["id"] if base else None)
        return event or "last"
