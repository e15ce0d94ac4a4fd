"""One task of one handler class, run by several daemons one after another on a journal that stays: for tests of handlers.

The hub is an object of the test's own. Its methods answer calls of the same name (`host.subtask` is `host_subtask`), every call
is recorded, and each may be the last that its daemon makes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import koji

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.journal import Journal

TASK = 40


class Killed(BaseException):
    """Stands for kill -9 of the daemon."""


class Session:
    """A daemon's session at the test's hub."""

    def __init__(self, hub: Any, *, die_before: str = "", die_after: str = "") -> None:
        """`die_before`, `die_after`: the call at which the daemon ends, before or after the hub has acted."""
        self.hub = hub
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.dead = False
        self.on_death: Callable[[], None] = lambda: None
        self._before = die_before
        self._after = die_after

    def __getattr__(self, name: str) -> Any:
        return _Call(self, name)

    def call(self, method: str, args: tuple[Any, ...], opts: dict[str, Any]) -> Any:
        self._die_if(self.dead or method == self._before)
        self.calls.append((method, args, opts))
        answer = getattr(self.hub, method.replace(".", "_"))(*args, **opts)
        self._die_if(method == self._after)
        return answer

    def made(self, method: str) -> list[tuple[Any, ...]]:
        """Positional arguments of each call of `method`."""
        return [args for name, args, _ in self.calls if name == method]

    def names(self) -> list[str]:
        return [name for name, _, _ in self.calls]

    def _die_if(self, end: bool) -> None:
        if end:
            self.dead = True
            self.on_death()
            raise Killed


class _Call:
    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name

    def __getattr__(self, name: str) -> _Call:
        return _Call(self._session, f"{self._name}.{name}")

    def __call__(self, *args: Any, **opts: Any) -> Any:
        return self._session.call(self._name, args, opts)


class Scene:
    """The task. `run` is a daemon: the first one takes it, the others adopt it."""

    def __init__(self, directory: Path, handler: type[ThreadedTask], hub: Any, *params: Any, **options: Any) -> None:
        self.hub = hub
        self.directory = directory
        self.options = KojidOptions(
            server="http://hub.example.com/kojihub",
            topurl="http://hub.example.com/kojifiles",
            topurls=("http://hub.example.com/kojifiles",),
            workdir=str(directory / "work"),
            **options,
        )
        self.session = Session(hub)
        self._handler = handler
        self._params = list(params)
        self._journal = directory / "journal"
        self.forget()

    def forget(self) -> None:
        """Lose the journal: the task was freed, and is begun anew."""
        Journal.create(self._journal, task_id=TASK).close()

    def task(self, **ends: str) -> ThreadedTask:
        """Return the handler as a new daemon has it; `ends` are Session's."""
        self.session = Session(self.hub, **ends)
        journal = Journal.load(self._journal)
        self.session.on_death = journal.close
        task = self._handler(TASK, self._handler.Methods[0], self._params, self.session, self.options)
        nothing: Any = None
        context = TaskContext(
            task_id=TASK,
            method=self._handler.Methods[0],
            start_ts=1.0,
            identity=nothing,
            options=self.options,
            config=nothing,
            session=self.session,  # type: ignore[arg-type] # answers as one
            new_session=nothing,
            runtime=nothing,
            journal=journal,
            directory=self.directory,
            shared=nothing,
        )
        task.bind(context)
        return task

    def run(self, **ends: str) -> Any:
        """Run the task in a new daemon; return its result."""
        task = self.task(**ends)
        try:
            return task.run()
        finally:
            task.context.journal.close()


class Children:
    """The part of a hub that has subtasks: each label once, with the result or fault that the test has set for it."""

    def __init__(self) -> None:
        self.children: dict[str, int] = {}
        self.results: dict[str, Any] = {}
        """Label -> result; an exception is what the child fails with."""
        self.asked: dict[str, dict[str, Any]] = {}
        """Label -> the keywords of `host.subtask`."""

    def host_subtask(self, **asked: Any) -> int:
        label = asked["label"]
        self.asked.setdefault(label, asked)
        return self.children.setdefault(label, 100 + len(self.children))

    def host_taskSetWait(self, task: int, children: list[int] | None) -> None:
        pass

    def host_taskWait(self, task: int) -> list[list[int]]:
        return [list(self.children.values()), []]

    def host_taskWaitResults(self, task: int, children: list[int], canfail: Any = None) -> list[list[Any]]:
        return [[child, self.getTaskResult(child)] for child in children]

    def getTaskResult(self, child: int) -> Any:
        label = next(label for label, number in self.children.items() if number == child)
        result = self.results.get(label)
        if isinstance(result, koji.GenericError):
            raise result
        return result

    def cancelTaskChildren(self, task: int) -> None:
        pass
