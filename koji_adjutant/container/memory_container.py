"""One container of the in-memory runtime, and its processes: threads that run programs. Used by `memory_manager` only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from koji_adjutant.container.interface import ContainerHandle, ContainerSpec, ContainerState, ContainerStatus
from koji_adjutant.container.memory_files import MemoryFiles
from koji_adjutant.container.memory_programs import KILLED, Invocation, Killed, Program
from koji_adjutant.errors import ExecError


@dataclass
class MemoryProcess:
    """A program as it runs."""

    invocation: Invocation
    done: threading.Event = field(default_factory=threading.Event)
    exit_code: int | None = None
    children: list[MemoryProcess] = field(default_factory=list)

    def kill(self) -> None:
        """Kill it and all it has forked, however often."""
        self.invocation.killed.set()
        for child in list(self.children):
            child.kill()

    def alive(self) -> bool:
        """Whether it still runs."""
        return not (self.done.is_set() or self.invocation.killed.is_set())


@dataclass
class MemoryContainer:
    """State of one container. Guarded by the manager's lock, but for what programs do."""

    handle: ContainerHandle
    spec: ContainerSpec
    labels: Mapping[str, str]
    files: MemoryFiles
    created_at: float
    image_id: str
    host_id: int
    changed: threading.Condition
    status: ContainerStatus = ContainerStatus.CREATED
    exit_code: int | None = None
    oom_killed: bool = False
    reason: str = ""
    log: list[tuple[int, bytes]] = field(default_factory=list)
    processes: list[MemoryProcess] = field(default_factory=list)
    base: MemoryContainer | None = None
    """Of a companion: whose root it works on."""

    def state(self) -> ContainerState:
        """What the manager reports."""
        return ContainerState(self.status, self.exit_code, self.oom_killed, self.reason)

    def run(self, program: Program, invocation: Invocation, on_end: Callable[[MemoryProcess], None]) -> MemoryProcess:
        """Run a program in a thread of its own; `on_end` is called there at its end."""
        process = MemoryProcess(invocation)
        invocation.fork = lambda child: self._fork(process, child)
        invocation.allocate = lambda size: self._allocate(process, size)
        invocation.end_container = lambda: self.end(KILLED)
        invocation.processes = lambda: self._count(process)
        with self.changed:
            self.processes.append(process)
        thread = threading.Thread(target=self._main, args=(program, process, on_end), daemon=True)
        thread.start()
        return process

    def end(self, exit_code: int, *, reason: str = "", oom_killed: bool = False) -> None:
        """The container ends: all its processes die with it."""
        with self.changed:
            if self.status is ContainerStatus.EXITED:
                return
            self.status, self.exit_code = ContainerStatus.EXITED, exit_code
            self.reason, self.oom_killed = reason or "exited", oom_killed
            for process in self.processes:
                process.kill()
            self.changed.notify_all()

    def _main(self, program: Program, process: MemoryProcess, on_end: Callable[[MemoryProcess], None]) -> None:
        code = KILLED
        try:
            code = program(process.invocation)
        except (Killed, ExecError):
            # ExecError: nobody takes its output any more.
            process.kill()
        finally:
            process.exit_code = KILLED if process.invocation.killed.is_set() else code
            with self.changed:
                process.done.set()
                self.changed.notify_all()
            on_end(process)

    def _fork(self, parent: MemoryProcess, program: Program) -> None:
        made = parent.invocation
        child = Invocation(made.argv, made.env, made.workdir, made.user, made.files, b"", _drop, _drop, made.spec)
        parent.children.append(self.run(program, child, lambda _: None))

    def _allocate(self, process: MemoryProcess, size: int) -> None:
        limit = self.spec.limits.memory_bytes
        if limit is None or size <= limit:
            return
        process.kill()
        if process is self.processes[0]:
            self.end(KILLED, reason="OOMKilled", oom_killed=True)
        raise Killed

    def _count(self, asking: MemoryProcess) -> int:
        with self.changed:
            return sum(each.alive() for each in self.processes[1:] if each is not asking)


def _drop(_: bytes) -> None:
    """Where output of children goes that nobody reads."""
