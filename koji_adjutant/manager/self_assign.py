"""Takes children of our own tasks while they are FREE, without waiting for the hub's scheduler (setting `self_assign`).

The stock scheduler runs once a minute, and each link in a build's chain of tasks waits for it. A child of a task that
runs here is opened at once if the scheduler could have given it to us; everything else is left to the scheduler, never
pushed (`assign=`). The hub has no run entry for a task opened this way: should this host die for good, it stays OPEN
until an admin frees it. That price is why the default is off.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import koji
import koji.tasks
import structlog

from koji_adjutant.manager.loop_errors import Reaction, rule_for
from koji_adjutant.manager.starter import TaskStarter
from koji_adjutant.manager.take import REQUEST_ERRORS, SURVIVABLE, TaskTaker

log = structlog.get_logger(__name__)

FREE = koji.TASK_STATES["FREE"]
_UNASKED = -(1 << 31)
"""No task has this priority."""
LONG_SECONDS = 600.0
"""From this average duration on a build goes to the least loaded host, which the scheduler finds."""


@dataclass(frozen=True)
class Situation:
    """What decides over one free child, besides the child."""

    capacity: float
    load: float
    """Weights of our open tasks that do not wait."""
    best_waiting: int | None
    """Best priority (the lowest number) of all free tasks that this host could take; None: there is none."""
    less_loaded: str | None
    """Name of another ready host of the channel with less load; None: there is none, or the child is no long build."""


def misfit(child: Mapping[str, Any], arches: Collection[str], channels: Collection[int]) -> str:
    """Return why `child` can never be ours, empty if it can (pure)."""
    if child["channel_id"] not in channels:
        return "its channel is not ours"
    if child["arch"] != "noarch" and child["arch"] not in arches:
        return f"its arch {child['arch']} is not ours"
    return ""


def objection(child: Mapping[str, Any], weight: float, situation: Situation) -> str:
    """Return why `child` is left to the scheduler for now, empty if it may be taken (pure)."""
    if situation.load + weight > situation.capacity:
        return f"load {situation.load:g} and its weight {weight:g} exceed the capacity {situation.capacity:g}"
    if situation.best_waiting is not None and situation.best_waiting < child["priority"]:
        return f"a task of better priority waits ({situation.best_waiting}, its own is {child['priority']})"
    if situation.less_loaded is not None:
        return f"it is a long build, and host {situation.less_loaded} is less loaded"
    return ""


class SelfAssigner:
    """Used by the main loop only, with its session."""

    def __init__(self, starter: TaskStarter, taker: TaskTaker, enabled: Callable[[], bool]) -> None:
        self._starter = starter
        self._taker = taker
        self._enabled = enabled
        self._left: dict[int, str] = {}
        """Children that were looked at and not taken, with the reason, so that each is logged once."""
        self._noticed: frozenset[int] = frozenset()
        self._arches: frozenset[str] = frozenset()
        self._channels: frozenset[int] = frozenset()
        self._best_waiting: int | None = _UNASKED

    def news(self) -> bool:
        """Say whether children are awaited that were not when this was last asked."""
        before, self._noticed = self._noticed, self._awaited() if self._enabled() else frozenset()
        return not self._noticed <= before

    def take_one(self, host: Mapping[str, Any], load: float) -> bool:
        """Take at most one free child of our tasks; return whether one was taken. The host was found ready just now.

        Raises what the hub raises, as `TaskTaker.take`.
        """
        awaited = self._awaited() if self._enabled() else frozenset()
        self._left = {task: reason for task, reason in self._left.items() if task in awaited}
        wanted = [task for task in sorted(awaited) if self._is_open_to_us(task)]
        if not wanted:
            return False
        self._look_around(host)
        return any(self._try(task, host, load) for task in wanted)

    def _look_around(self, host: Mapping[str, Any]) -> None:
        """Ask once what counts for all children of this pass."""
        host_id = self._starter.identity.host_id
        self._arches = frozenset(str(host["arches"] or "").split())
        # Whoever disables a channel wants its work to stop.
        rows = self._session.listChannels(host_id, enabled=True)
        self._channels = frozenset(int(row["id"]) for row in rows)
        self._best_waiting = _UNASKED

    def _awaited(self) -> frozenset[int]:
        return frozenset(child for task in self._starter.table.all() for child in task.context.awaited)

    def _is_open_to_us(self, task_id: int) -> bool:
        return self._starter.table.get(task_id) is None and self._left.get(task_id) != ""

    def _try(self, task_id: int, host: Mapping[str, Any], load: float) -> bool:
        try:
            return self._consider(task_id, host, load)
        except SURVIVABLE as error:
            if rule_for(error).reaction is not Reaction.SURVIVE:
                raise
            # The scheduler will do it; trouble with what is only a short cut must not stop the loop.
            log.warning("task.self_assign_failed", task_id=task_id, error=str(error))
            self._left[task_id] = ""
            return False

    def _consider(self, task_id: int, host: Mapping[str, Any], load: float) -> bool:
        child = self._session.getTaskInfo(task_id, request=True)
        if not child or child["state"] != FREE or child["method"] not in self._starter.handlers:
            # The scheduler was first, or it is for others: not to be asked for again.
            self._left[task_id] = ""
            return False
        try:
            handler = self._starter.handler(task_id, child["method"], child["request"])
        except REQUEST_ERRORS as error:
            return self._leave(child, f"its request cannot be read: {error}", for_good=True)
        if reason := misfit(child, self._arches, self._channels) or self._refusal(child):
            return self._leave(child, reason, for_good=True)
        if reason := objection(child, handler.weight(), self._situation(child, host, load)):
            return self._leave(child, reason)
        if not self._taker.fits_host(handler, host):
            return self._leave(child, "the host check fails", for_good=True)
        log.info("task.self_assigned", task_id=task_id, method=child["method"], parent=child["parent"])
        # Once only: what is lost or given back after this is the scheduler's.
        self._left[task_id] = ""
        return self._taker.open_and_start(handler)

    def _leave(self, child: Mapping[str, Any], reason: str, *, for_good: bool = False) -> bool:
        """Leave a child to the scheduler; `for_good`: nothing will change, so it is not asked about again."""
        if self._left.get(child["id"]) != reason:
            log.info("task.left_to_scheduler", task_id=child["id"], method=child["method"], reason=reason)
        self._left[child["id"]] = "" if for_good else reason
        return False

    def _refusal(self, child: Mapping[str, Any]) -> str:
        refusals = self._session.scheduler.getTaskRefusals([["task_id", "=", child["id"]]])
        ours = any(row["host_id"] == self._starter.identity.host_id for row in refusals)
        return "this host has refused it" if ours else ""

    @property
    def _session(self) -> Any:
        return self._starter.session

    def _situation(self, child: Mapping[str, Any], host: Mapping[str, Any], load: float) -> Situation:
        return Situation(
            capacity=float(host["capacity"]),
            load=load,
            best_waiting=self._best(),
            less_loaded=self._less_loaded(child, load) if self._is_long(child) else None,
        )

    def _best(self) -> int | None:
        if self._best_waiting == _UNASKED:
            arches = ["noarch", *sorted(self._arches)]
            wanted = {"state": [FREE], "channel_id": sorted(self._channels), "arch": arches}
            rows = self._session.listTasks(wanted, {"order": "priority", "limit": 1})
            self._best_waiting = int(rows[0]["priority"]) if rows else None
        return self._best_waiting

    def _is_long(self, child: Mapping[str, Any]) -> bool:
        if child["method"] != "buildArch":
            return False
        try:
            name = koji.parse_NVRA(str(child["request"][0]).rpartition("/")[2])["name"]
        except (koji.GenericError, LookupError):
            return True
        average = self._session.getAverageBuildDuration(name, age=6)
        # One that was never built may take any time.
        return average is None or average >= LONG_SECONDS

    def _less_loaded(self, child: Mapping[str, Any], load: float) -> str | None:
        arches = None if child["arch"] == "noarch" else [child["arch"]]
        hosts = self._session.listHosts(arches=arches, channelID=child["channel_id"], ready=True, enabled=True)
        for other in hosts:
            if other["id"] != self._starter.identity.host_id and float(other["task_load"] or 0.0) < load:
                return str(other["name"])
        return None
