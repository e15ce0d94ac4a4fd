"""The follower's decisions, with a reader and a runtime that say what the test wants."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from koji_adjutant.container.interface import ContainerHandle, ContainerRunResult, ContainerState, ContainerStatus
from koji_adjutant.container.step_follower import FollowSettings, StepFollower
from koji_adjutant.container.step_frame import LogPart, MemoryRecord, StepFrame
from koji_adjutant.container.steps import StepEnd, StepStatus
from koji_adjutant.errors import ContainerLost, ExecError, Interrupted, OutOfMemory, RuntimeUnavailable

TASK = ContainerHandle("1", "c-task", "memory")
TOOLS = ContainerHandle("2", "c-tools", "memory")
RUNNING = ContainerState(ContainerStatus.RUNNING)
GONE = ContainerState(ContainerStatus.MISSING, reason="deleted")
DONE = StepStatus("r", StepEnd.EXITED, 0, None, 1.0, 2.0, 6)
BROKEN = ExecError("the stream broke", reason="unknown-end", retryable=True)


class World:
    """Frames and errors in the order they are to be given, states by container, and a clock that sleeping advances."""

    def __init__(
        self, log: bytes, script: Iterable[Any], states: dict[str, list[ContainerState]] | None = None
    ) -> None:
        self.log = log
        self.script = list(script)
        self.states = states or {}
        self.now = 0.0
        self.through: ContainerHandle | None = TOOLS
        self.delivered: list[tuple[int, bytes]] = []
        self.memory = b"0 0 0\n"

    def read(self, name: str, offset: int, err_offset: int | None, wait: float) -> StepFrame:
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.now += wait
        if isinstance(step, Exception):
            raise step
        total, alive, status, memory = step
        data = self.log[offset : min(total, offset + 4)]
        return StepFrame("r", alive, LogPart(offset, data, total), None, status, memory)

    def state(self, handle: ContainerHandle) -> ContainerState:
        states = self.states.get(handle.name, [RUNNING])
        return states.pop(0) if len(states) > 1 else states[0]

    def exec(self, handle: ContainerHandle, argv: list[str], **options: Any) -> ContainerRunResult:
        return ContainerRunResult(0, self.memory)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def follow(self, offset: int = 0, interrupt: threading.Event | None = None) -> StepStatus:
        settings = FollowSettings(patience=100.0, wait=20.0, clock=lambda: self.now, sleep=self.sleep)
        world: Any = self
        follower = StepFollower(world, world, TASK, "s", settings=settings, interrupt=interrupt)
        return follower.run(lambda at, data: self.delivered.append((at, data)), None, offset, 0)


def seen(total: int, alive: bool = True, status: StepStatus | None = None, memory: MemoryRecord | None = None) -> Any:
    """One look at the step."""
    return total, alive, status, memory or MemoryRecord()


def test_status_counts_only_with_the_log_read_to_its_end() -> None:
    """The status that came with the first bytes is returned after the last."""
    world = World(b"abcdef", [seen(6, status=DONE)])
    assert world.follow() == DONE
    assert world.delivered == [(0, b"abcd"), (4, b"ef")]


def test_reading_goes_on_from_an_offset() -> None:
    """What was delivered before is not delivered again."""
    world = World(b"abcdef", [seen(6, status=DONE)])
    world.follow(offset=5)
    assert world.delivered == [(5, b"f")]


def test_broken_reads_are_repeated() -> None:
    """Errors between frames lose and repeat no byte."""
    world = World(b"abcdef", [BROKEN, seen(2), BROKEN, BROKEN, seen(6), BROKEN, seen(6, status=DONE)])
    assert world.follow() == DONE
    assert b"".join(data for _, data in world.delivered) == b"abcdef"
    assert [at for at, _ in world.delivered] == [0, 2]


def test_runtime_that_stays_silent_is_given_up() -> None:
    """After `patience` the runtime is said to be unavailable, with its last words."""
    with pytest.raises(RuntimeUnavailable, match="c-task") as caught:
        World(b"", [BROKEN]).follow()
    assert "the stream broke" in caught.value.details


def test_silent_step_is_waited_for() -> None:
    """A step that says nothing for long is no failure while its container lives."""
    assert World(b"", [*[seen(0)] * 50, seen(0, status=DONE)]).follow() == DONE


def test_dead_container_is_read_once_more() -> None:
    """What the step wrote before its container died is delivered, then the loss is said with its reason."""
    world = World(b"abcdef", [seen(0), seen(6)], {"c-task": [GONE]})
    with pytest.raises(ContainerLost, match="c-task was removed") as caught:
        world.follow()
    assert b"".join(data for _, data in world.delivered) == b"abcdef"
    assert caught.value.reason == "deleted"


def test_status_of_a_dead_container_counts() -> None:
    """A step that ended before its container did has ended well."""
    assert World(b"", [seen(0), seen(0, status=DONE)], {"c-task": [GONE]}).follow() == DONE


def test_dead_runner_in_a_living_container() -> None:
    """A runner that is gone without a status is a loss, after the runtime had time to notice the container's death."""
    world = World(b"", [seen(0, alive=False)])
    with pytest.raises(ContainerLost, match="lost its step runner"):
        world.follow()
    assert world.now >= 10


def test_out_of_memory_by_the_runtimes_word() -> None:
    """A container that its runtime says was killed for memory: limit and peak come from the runner's note."""
    dead = ContainerState(ContainerStatus.EXITED, 137, oom_killed=True, reason="OOMKilled")
    world = World(b"", [seen(0, alive=False, memory=MemoryRecord(64, 63, 0))], {"c-task": [dead]})
    with pytest.raises(OutOfMemory) as caught:
        world.follow()
    assert "limit 64 bytes, peak 63 bytes" in caught.value.details


def test_out_of_memory_by_the_count_of_kills() -> None:
    """A living container that lost its runner and counts kills for memory is out of memory."""
    world = World(b"", [seen(0, alive=False)])
    world.memory = b"64 64 3\n"
    with pytest.raises(OutOfMemory) as caught:
        world.follow()
    assert "processes killed: 3" in caught.value.details


def test_dead_tools_container_is_named() -> None:
    """When the container that reads is dead nothing can be known any more: said at once, with its name."""
    with pytest.raises(ContainerLost, match="c-tools"):
        World(b"", [BROKEN], {"c-tools": [GONE]}).follow()


def test_interrupt_ends_a_read_that_hangs() -> None:
    """An event ends the wait though the read has not come back."""
    interrupt, hanging = threading.Event(), threading.Event()
    world = World(b"", [seen(0)])

    def read(*_: Any) -> StepFrame:
        interrupt.set()
        hanging.wait(60)
        raise BROKEN

    world.read = read  # type: ignore[method-assign, assignment] # a read that hangs
    with pytest.raises(Interrupted):
        world.follow(interrupt=interrupt)
    hanging.set()
