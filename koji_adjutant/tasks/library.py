"""koji's own task methods, made to run in a thread (contract 4.8 and 9).

They keep koji's class bodies; only what forks or sleeps uninterruptibly is replaced.
"""

from __future__ import annotations

from typing import Any

import koji
import koji.tasks

from koji_adjutant.tasks.base import adapt

DEPENDENCY_POLL = 5.0
"""Seconds between looks at tasks that are not our children. kojid asks each second; nobody waits on the difference."""


def _sleep(self: Any, n: float) -> None:
    self.sleep(n)


def _fork(self: Any, n: int = 5, m: int = 37) -> None:
    # kojid starts n sleeping processes and kills them as soon as the task ends, which is at once. There is nothing to
    # kill in a thread, so there is nothing to start.
    self.logger.info("fork %s %s: leftover processes cannot exist in this builder", n, m)


def _dependant(self: Any, wait_list: list[int], task_list: list[Any]) -> None:
    waiting = [task for task in wait_list if isinstance(task, int) and self.session.getTaskInfo(task)]
    while waiting:
        for task in list(waiting):
            if not self.session.taskFinished(task):
                continue
            info = self.session.getTaskInfo(task)
            if info and koji.TASK_STATES[info["state"]] in {"CANCELED", "FAILED"}:
                raise koji.GenericError(f"Dependency {info['id']} failed to complete.")
            waiting.remove(task)
        if waiting:
            self.sleep(DEPENDENCY_POLL)
    children = [_child(self, number, task) for number, task in enumerate(task_list)]
    if any(children):
        self.wait([child for child in children if child], all=True)


def _child(self: Any, number: int, task: list[Any]) -> int | None:
    """Create a child, or find the one that an earlier run has made: they may have no labels, but are made in order."""

    def find(_: Any) -> tuple[bool, Any]:
        there = sorted(child["id"] for child in self.session.getTaskChildren(self.id))
        return len(there) > number, there[number] if len(there) > number else None

    def create() -> int | None:
        found, child = find(None)
        return child if found else _start(self, task)

    made: int | None = self.once(f"subtask-{number}", create, recover=find)
    return made


def _start(self: Any, task: list[Any]) -> int | None:
    method, arguments, options = (*task, None, None)[:3] if len(task) < 3 else task[:3]
    child: int | None = self.session.host.subtask(method=method, arglist=arguments, parent=self.id, **(options or {}))
    return child


LIBRARY = (
    adapt(koji.tasks.DefaultTask),
    adapt(koji.tasks.DependantTask, handler=_dependant),
    adapt(koji.tasks.FakeTask),
    adapt(koji.tasks.ForkTask, handler=_fork),
    adapt(koji.tasks.RestartHostsTask),
    adapt(koji.tasks.RestartTask),
    adapt(koji.tasks.RestartVerifyTask),
    adapt(koji.tasks.ShutdownTask),
    adapt(koji.tasks.SleepTask, handler=_sleep),
    adapt(koji.tasks.SubtaskTask),
    adapt(koji.tasks.WaitTestTask),
)
