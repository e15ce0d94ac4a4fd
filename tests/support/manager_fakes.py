"""An in-memory hub, session, runtime and clock: as much of them as the manager touches."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import koji

from koji_adjutant.container.interface import (
    LABEL_MANAGED,
    LABEL_ROLE,
    LABEL_START_TS,
    LABEL_TASK,
    LABEL_WORKER,
    ContainerHandle,
    ContainerInfo,
    ContainerStatus,
)
from koji_adjutant.hub.identity import HostIdentity

STATES = koji.TASK_STATES
HOST_ID = 7
CHANNEL_ID = 1
HUB_URL = "http://hub.example.com/kojihub"
IDENTITY = HostIdentity(HOST_ID, "builder", HUB_URL, session_start_ts=1_600_000_000.0)
WORKER = IDENTITY.worker_label


class FakeClock:
    """Time moves only when somebody waits or the test says so."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self.waits: list[float] = []

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def wait(self, event: threading.Event, timeout: float) -> bool:
        if not event.is_set():
            self.waits.append(timeout)
            self.now += timeout
        return event.is_set()


class FakeHub:
    """Tasks, buildroots and refusals of one host; records every call with its arguments."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tasks: dict[int, dict[str, Any]] = {}
        self.buildroots: dict[int, dict[str, Any]] = {}
        self.refusals: list[dict[str, Any]] = []
        self.child_state = "ASSIGNED"
        """State in which `subtask` makes children; FREE ones wait for a scheduler that never runs."""
        self.averages: dict[str, float] = {}
        self.other_hosts: list[dict[str, Any]] = []
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.results: dict[int, tuple[str, str]] = {}
        self.host = {"id": HOST_ID, "name": "builder", "enabled": True, "capacity": 4.0, "arches": "x86_64"}
        self.before: dict[str, Callable[..., None]] = {}
        """Method name to what happens before it acts; it may raise."""
        self.after: dict[str, Callable[..., None]] = {}
        self.said: list[tuple[float, bool]] = []
        self.changed = threading.Condition(self.lock)
        self._ids = itertools.count(1)
        self._seconds = itertools.count(1)

    def add_task(
        self, method: str, *params: Any, state: str = "ASSIGNED", host_id: int | None = HOST_ID, **more: Any
    ) -> int:
        """Put a task into the hub; an open one has a `start_ts`."""
        task_id = more.pop("id", None) or next(self._ids)
        start_ts = more.pop("start_ts", None)
        self.tasks[task_id] = {
            "id": task_id,
            "method": method,
            "request": list(params),
            "state": STATES[state],
            "host_id": host_id,
            "arch": "noarch",
            "waiting": False,
            "weight": 1.0,
            "parent": None,
            "label": None,
            "channel_id": CHANNEL_ID,
            "priority": 20,
            "start_ts": start_ts,
            **more,
        }
        return task_id

    def names(self) -> list[str]:
        """Names of the calls so far."""
        return [name for name, _, _ in self.calls]

    def made(self, name: str) -> list[tuple[Any, ...]]:
        """Arguments of all calls of `name`."""
        return [args for called, args, _ in self.calls if called == name]

    def state(self, task_id: int) -> str:
        return STATES[self.tasks[task_id]["state"]]

    def cancel(self, task_id: int) -> None:
        with self.changed:
            self.tasks[task_id]["state"] = STATES["CANCELED"]
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], bool], timeout: float = 60.0) -> bool:
        """Wait until `condition` holds, looked at after every call."""
        with self.changed:
            return self.changed.wait_for(condition, timeout)

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        act = getattr(self, "hub_" + name.replace(".", "_"))
        if name in self.before:
            self.before[name](*args)
        with self.changed:
            self.calls.append((name, args, kwargs))
            result = act(*args, **kwargs)
            self.changed.notify_all()
        if name in self.after:
            self.after[name](*args)
        return result

    # what the manager and koji's test tasks call

    def hub_getTaskInfo(self, task_id: int, request: bool = False, strict: bool = False) -> dict[str, Any] | None:
        task = self.tasks.get(task_id)
        if task is None:
            return None
        return {key: value for key, value in task.items() if request or key != "request"}

    def hub_listBuildroots(self, **query: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self.buildroots.values() if row["state"] in query["state"]]

    def hub_scheduler_getTaskRefusals(self, clauses: Any) -> list[dict[str, Any]]:
        return [row for row in self.refusals if row["task_id"] == clauses[0][2]]

    def hub_scheduler_getTaskRuns(self, clauses: Any) -> list[dict[str, Any]]:
        return []

    def hub_listChannels(self, host_id: int, enabled: bool | None = None) -> list[dict[str, Any]]:
        return [{"id": CHANNEL_ID, "name": "default"}]

    def hub_listHosts(self, **query: Any) -> list[dict[str, Any]]:
        return [{"id": HOST_ID, "name": "builder", "task_load": 0.0}, *self.other_hosts]

    def hub_listTasks(self, wanted: dict[str, Any], query: dict[str, Any]) -> list[dict[str, Any]]:
        found = [t for t in self.tasks.values() if all(t[key] in values for key, values in wanted.items())]
        return sorted(found, key=lambda t: t[query["order"]])[: query["limit"]]

    def hub_getAverageBuildDuration(self, name: str, age: int) -> float | None:
        return self.averages.get(name)

    def hub_getTaskResult(self, task_id: int) -> Any:
        return None

    def hub_host_getHost(self) -> dict[str, Any]:
        return dict(self.host)

    def hub_host_getID(self) -> int:
        return HOST_ID

    def hub_host_getHostTasks(self) -> list[dict[str, Any]]:
        rows = [dict(t) for t in self.tasks.values() if t["state"] == STATES["OPEN"] and t["host_id"] == HOST_ID]
        for row in rows:
            children = [t for t in self.tasks.values() if t["parent"] == row["id"]]
            if row["waiting"] and any(t["state"] in {2, 3, 5} for t in children):
                row["alert"] = True
        return [{key: row[key] for key in ("id", "waiting", "weight", "alert") if key in row} for row in rows]

    def hub_host_getTasks(self) -> list[dict[str, Any]]:
        return [
            {key: task[key] for key in ("id", "state", "host_id", "arch", "method")}
            for task in self.tasks.values()
            if task["state"] == STATES["ASSIGNED"] and task["host_id"] == HOST_ID
        ]

    def hub_host_openTask(self, task_id: int) -> dict[str, Any] | None:
        task = self.tasks[task_id]
        assigned = task["state"] == STATES["ASSIGNED"] and task["host_id"] == HOST_ID
        if not assigned and task["state"] != STATES["FREE"]:
            return None
        task.update(state=STATES["OPEN"], host_id=HOST_ID)
        task["start_ts"] = 1_700_000_000.25 + next(self._seconds)
        return dict(task)

    def hub_host_setTaskWeight(self, task_id: int, weight: float) -> None:
        self._own(task_id)["weight"] = weight

    def hub_host_closeTask(self, task_id: int, document: str) -> None:
        self._own(task_id)["state"] = STATES["CLOSED"]
        self.results[task_id] = ("closeTask", document)

    def hub_host_failTask(self, task_id: int, document: str) -> None:
        self._own(task_id)["state"] = STATES["FAILED"]
        self.results[task_id] = ("failTask", document)

    def hub_host_refuseTask(self, task_id: int, soft: bool = True, msg: str = "") -> None:
        self.refusals.append({"task_id": task_id, "host_id": HOST_ID, "soft": soft, "msg": msg, "by_host": True})
        self._free(task_id)

    def hub_host_freeTasks(self, task_ids: list[int]) -> None:
        for task_id in task_ids:
            if self.tasks[task_id]["state"] == STATES["OPEN"] and self.tasks[task_id]["host_id"] == HOST_ID:
                self._free(task_id)

    def hub_host_updateHost(self, load: float, ready: bool, data: Any = None) -> None:
        self.said.append((load, ready))

    def hub_host_setBuildRootState(self, buildroot_id: int, state: int) -> None:
        self.buildroots[buildroot_id]["state"] = state

    def hub_host_subtask(
        self, method: str, arglist: list[Any], parent: int, label: str | None = None, **options: Any
    ) -> int:
        for task in self.tasks.values():
            if label and task["parent"] == parent and task["label"] == label:
                return int(task["id"])
        host_id = HOST_ID if self.child_state == "ASSIGNED" else None
        more = {key: value for key, value in options.items() if key in {"arch", "channel_id", "priority"}}
        return self.add_task(
            method, *arglist, parent=parent, label=label, state=self.child_state, host_id=host_id, **more
        )

    def hub_host_taskSetWait(self, task_id: int, children: Any) -> None:
        self.tasks[task_id]["waiting"] = True

    def hub_host_taskWait(self, task_id: int) -> list[list[int]]:
        children = [t for t in self.tasks.values() if t["parent"] == task_id]
        done = [t["id"] for t in children if t["state"] in {2, 3, 5}]
        left = [t["id"] for t in children if t["state"] not in {2, 3, 5}]
        if not left:
            self.tasks[task_id]["waiting"] = False
        return [done, left]

    def hub_host_taskWaitResults(self, task_id: int, children: list[int], canfail: Any = None) -> list[list[Any]]:
        return [[child, None] for child in children]

    def _own(self, task_id: int) -> dict[str, Any]:
        task = self.tasks[task_id]
        if task["state"] != STATES["OPEN"] or task["host_id"] != HOST_ID:
            raise koji.ActionNotAllowed(f"host {HOST_ID} does not own task {task_id}")
        return task

    def _free(self, task_id: int) -> None:
        self.tasks[task_id].update(state=STATES["FREE"], host_id=None, start_ts=None)


class FakeSession:
    """A session of `FakeHub`, with what `AdjutantSession` adds to koji's."""

    def __init__(
        self,
        hub: FakeHub,
        interrupt: threading.Event | None = None,
        interrupted: Callable[[], BaseException] | None = None,
        prefix: str = "",
    ) -> None:
        self.hub = hub
        self.interrupt = interrupt or threading.Event()
        self.interrupted = interrupted
        self.closed = False
        self.opts: dict[str, Any] = {}
        self._shield = 0
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Method(self, name)

    def subsession(self, interrupt: threading.Event | None = None, *, interrupted: Any = None, **_: Any) -> FakeSession:
        return FakeSession(self.hub, interrupt or self.interrupt, interrupted or self.interrupted)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        self._shield += 1
        yield
        self._shield -= 1

    def close(self) -> None:
        self.closed = True

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.interrupt.is_set() and not self._shield and self.interrupted is not None:
            raise self.interrupted()
        return self.hub.call(name, args, kwargs)


class _Method:
    def __init__(self, session: FakeSession, name: str) -> None:
        self._session, self._name = session, name

    def __getattr__(self, name: str) -> _Method:
        return _Method(self._session, f"{self._name}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.call(self._name, args, kwargs)


class FakeRuntime:
    """Containers as labels only; `remove` can be made to fail."""

    def __init__(self) -> None:
        self.containers: dict[str, ContainerInfo] = {}
        self.remove_fails: BaseException | None = None
        self.list_fails: BaseException | None = None
        self._lock = threading.Lock()

    def add(
        self,
        name: str,
        task_id: int | None = None,
        start_ts: float | None = None,
        *,
        created_at: float = 0.0,
        worker: str = WORKER,
        labels: Mapping[str, str] | None = None,
    ) -> ContainerInfo:
        """Put a container there."""
        known = {LABEL_MANAGED: "true", LABEL_WORKER: worker, LABEL_ROLE: "task", **(labels or {})}
        if task_id is not None:
            known[LABEL_TASK] = str(task_id)
        if start_ts is not None:
            known[LABEL_START_TS] = repr(start_ts)
        handle = ContainerHandle(f"id-{name}", name, "memory")
        info = ContainerInfo(handle, known, ContainerStatus.RUNNING, created_at)
        self.containers[name] = info
        return info

    def list_managed(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        if self.list_fails is not None:
            raise self.list_fails
        with self._lock:
            return [info for info in self.containers.values() if labels.items() <= info.labels.items()]

    def remove(self, handle: ContainerHandle) -> None:
        if self.remove_fails is not None:
            raise self.remove_fails
        with self._lock:
            self.containers.pop(handle.name, None)

    def close(self) -> None:
        """Nothing to give back."""


class SteppingClock:
    """A clock for threads: a wait ends when its event is set or when the test calls `step`."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self.waits: list[float] = []
        self._changed = threading.Condition()
        self._steps = 0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def step(self, timeout: float = 60.0) -> None:
        """Let the thread that waits (or will wait within `timeout`) go on, as if its time had passed."""
        with self._changed:
            wanted = self._steps + 1
            assert self._changed.wait_for(lambda: len(self.waits) >= wanted, timeout), "nobody waits"
            self.now += self.waits[wanted - 1]
            self._steps = wanted
            self._changed.notify_all()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        with self._changed:
            self.waits.append(timeout)
            number = len(self.waits)
            self._changed.notify_all()
        while not event.is_set():
            with self._changed:
                # Short slices: the event has a lock of its own and cannot wake this condition.
                if self._changed.wait_for(lambda: self._steps >= number, 0.002):
                    break
        return event.is_set()
