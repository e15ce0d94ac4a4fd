"""Durable steps that must be ended, that try to survive, to lie or to do damage, and those whose container dies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from koji_adjutant.container.interface import ResourceLimits
from koji_adjutant.container.steps import StepEnd
from koji_adjutant.errors import ContainerError, ContainerLost, ContainerNotFound, OutOfMemory
from tests.support.steps import KINDS, KUBERNETES, Recorder, StepRig, step_rig

pytestmark = pytest.mark.podman

STUBBORN = (
    "trap '' TERM HUP INT; echo started;"
    "(setsid sh -c \"trap '' TERM HUP; while :; do echo more; sleep 0.05; done\" &) ; (setsid sleep 1000 &);"
    "while :; do sleep 1; done"
)
"""Ignores signals and leaves double-forked children, one of which keeps writing."""
LIMIT = 64 << 20


@pytest.fixture(scope="module", params=KINDS)
def shared_rig(request: pytest.FixtureRequest, podman_socket: Path, empty_image: str) -> Iterator[StepRig]:
    """A pair of containers that the tests of this module share."""
    with step_rig(podman_socket, empty_image, request.param) as found:
        yield found


@pytest.fixture
def rig(shared_rig: StepRig, request: pytest.FixtureRequest) -> StepRig:
    """The shared pair with this test's faults."""
    return shared_rig.for_test(request.node)


@pytest.fixture(params=KINDS)
def own_rig(request: pytest.FixtureRequest, podman_socket: Path, empty_image: str) -> Iterator[StepRig]:
    """A pair for one test, which may destroy it; little memory."""
    limits = ResourceLimits(memory_bytes=LIMIT)
    with step_rig(podman_socket, empty_image, request.param, limits=limits) as found:
        yield found.for_test(request.node)


@pytest.fixture(params=KINDS)
def crowded_rig(request: pytest.FixtureRequest, podman_socket: Path, empty_image: str) -> Iterator[StepRig]:
    """A pair for one test with few processes, and memory for all of them: the kernel kills none by itself."""
    with step_rig(podman_socket, empty_image, request.param, limits=ResourceLimits(pids=150)) as found:
        yield found.for_test(request.node)


def test_end_of_the_command_ends_its_children(rig: StepRig) -> None:
    """Children in sessions of their own do not outlive the step, and their output so far is there."""
    # The pipe tells when the child has written; descriptor 4 is the step's own output.
    child = "(setsid sh -c 'echo child >&4; echo there; exec sleep 1000 >&4' &)"
    ran = rig.run(f"exec 4>&1; {child} | read word; exit 3")
    assert (ran.status.exit_code, ran.out) == (3, b"child\n")
    assert rig.processes() == []


def test_time_out_kills_all(rig: StepRig) -> None:
    """The time-out ends the command and its double-forked children, though they ignore SIGTERM."""
    ran = rig.run(STUBBORN, timeout=3.0)
    assert (ran.status.end, ran.status.message) == (StepEnd.TIMEOUT, "ran for 3.0 s, its time-out")
    assert ran.out.startswith(b"started\n")
    assert rig.processes() == []


def test_silence_kills_all(rig: StepRig) -> None:
    """A step that writes nothing for its time is ended; writing keeps it alive."""
    # Eight times half a second is more than the time, half a second much less: also where a sleep takes longer.
    ran = rig.run("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.5; done; sleep 1000", no_output_timeout=3.5)
    assert (ran.status.end, ran.out) == (StepEnd.NO_OUTPUT, b"1\n2\n3\n4\n5\n6\n7\n8\n")
    assert ran.status.message == "wrote nothing for 3.5 s"
    assert rig.processes() == []


def test_cancel_kills_all_within_seconds(rig: StepRig) -> None:
    """A cancelled step is gone with all its processes within five seconds, its output is there."""
    spec = rig.spec(STUBBORN)
    rig.steps.start(rig.task, spec)
    _wait_for(lambda: _output(rig, spec.name).startswith(b"started\n"))
    rig.steps.cancel(rig.task, spec.name)
    cancelled = time.time()
    ran = rig.run_spec(spec)
    assert ran.status.end is StepEnd.CANCELLED
    assert ran.out.startswith(b"started\n")
    assert rig.processes() == []
    assert ran.status.ended_at - cancelled < 5


def test_cancel_lets_a_command_clean_up(rig: StepRig) -> None:
    """TERM comes first: a command that handles it has two seconds."""
    script = "trap 'echo cleaned; exit 7' TERM; echo ready; while :; do sleep 0.1; done"
    spec = rig.spec(script, separate_stderr=True)
    rig.steps.start(rig.task, spec)
    _wait_for(lambda: _output(rig, spec.name) == b"ready\n")
    rig.steps.cancel(rig.task, spec.name)
    ran = rig.run_spec(spec)
    assert (ran.status.end, ran.status.exit_code, ran.out) == (StepEnd.CANCELLED, 7, b"ready\ncleaned\n")


def test_cancel_of_a_step_that_ended_changes_nothing(rig: StepRig) -> None:
    """A late cancel is no error and the status stays."""
    spec = rig.spec("exit 4")
    rig.run_spec(spec)
    rig.steps.cancel(rig.task, spec.name)
    assert rig.run_spec(spec).status.exit_code == 4


def test_orphan_is_ended(rig: StepRig) -> None:
    """A step that nobody follows is ended; one that is followed is not."""
    spec = rig.spec("sleep 1000", orphan_timeout=1.5)
    rig.steps.start(rig.task, spec)
    _wait_for(lambda: rig.file(spec.name, "status") is not None)
    status = rig.run_spec(spec).status
    assert (status.end, status.message) == (StepEnd.ORPHANED, "no follower for 1.5 s")
    assert rig.processes() == []


def test_fork_bomb_is_killed(crowded_rig: StepRig) -> None:
    """Processes that fork as fast as they can are all killed."""
    if crowded_rig.kind == KUBERNETES:
        pytest.skip("not here: a pod cannot ask for a limit of processes, and this would take the node's")
    # The shell that lives forks once, before there are too many: busybox forks each part of a pipeline itself.
    ran = crowded_rig.run("f() { f | f & }; (f) & while :; do :; done", timeout=2.0)
    assert ran.status.end is StepEnd.TIMEOUT
    assert "could not be killed" not in ran.status.message
    assert crowded_rig.processes() == []


def test_runner_survives_a_build_that_kills_all_it_can(rig: StepRig) -> None:
    """`kill -9 -1` of the build's user ends only the build."""
    ran = rig.run("sleep 1000 & echo before; kill -9 -1; exit 5")
    assert ran.out == b"before\n"
    assert ran.status.exit_code == 5 or ran.status.signal == 9


@pytest.mark.parametrize(
    "trick",
    [
        ": > /dev/stderr",
        ": > /dev/stdout",
        "echo x | tee /dev/stderr >/dev/null",
        "truncate -s 0 /proc/self/fd/1",
        "dd of=/dev/stdout if=/dev/null",
        "exec 3<>/dev/stdout; exec 3>&-",
    ],
)
def test_tricks_with_standard_streams_harm_nothing(rig: StepRig, trick: str) -> None:
    """What truncates a regular file leaves earlier output as it is."""
    ran = rig.run(f"echo before; {trick} 2>/dev/null; echo after")
    assert ran.out.startswith(b"before\n")
    assert ran.out.endswith(b"after\n")
    assert ran.status.ok


def test_forged_status_is_out_of_reach(rig: StepRig) -> None:
    """The build's user can neither see nor write the directory of its step."""
    spec = rig.spec("")
    forge = (
        f"d=/run/adjutant/steps/{spec.name}; ls $d /run/adjutant/steps; echo {{}} > $d/status; echo > $d/out; rm -rf $d;"
        "mv /run/adjutant/steps /run/adjutant/x; ln -s /etc $d; for p in /proc/[0-9]*; do echo > $p/fd/1; done; exit 6"
    )
    ran = rig.run(f"echo mine; ({forge}) 2>/dev/null; exit 6", name=spec.name)
    assert ran.out.startswith(b"mine\n")
    assert (ran.status.end, ran.status.exit_code) == (StepEnd.EXITED, 6)


def test_hostile_files_of_root_are_not_followed(rig: StepRig) -> None:
    """A root step that puts links, pipes and nonsense in place of its files gets no file of ours, and blocks nobody."""
    spec = rig.spec("")
    script = (
        f"cd /run/adjutant/steps/{spec.name}; echo seen; sleep 2; rm out; ln -s /etc/passwd out; rm -f touched;"
        "mkfifo touched; ln -sf /etc/shadow memory; exit 0"
    )
    ran = rig.run(script, name=spec.name, uid=0, gid=0)
    assert ran.out in {b"seen\n", b""}
    assert ran.status.ok


def test_log_cap_is_named(rig: StepRig) -> None:
    """Beyond the cap output is dropped and counted; the command never blocks on it."""
    ran = rig.run("head -c 3000000 /dev/zero; exit 9", log_cap=1_000_000)
    status = ran.status
    assert (status.exit_code, status.out_bytes, status.dropped_bytes) == (9, 1_000_000, 2_000_000)
    assert status.message == "the log reached its cap of 1000000 bytes, 2000000 bytes dropped"


def test_out_of_memory_is_named(own_rig: StepRig) -> None:
    """A process that the memory limit killed is counted; limit and peak stand in the status."""
    ran = own_rig.run("x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}")
    assert ran.status.oom_kills >= 1
    assert not ran.status.ok
    assert f"the memory limit of {LIMIT} bytes was reached" in ran.status.message
    assert LIMIT * 0.9 < ran.status.peak_memory <= LIMIT


def test_removed_container_is_noticed(own_rig: StepRig) -> None:
    """A container that is removed under a step ends `follow` within 30 s with its name."""
    with pytest.raises(ContainerLost, match=own_rig.task.name.removesuffix("task")):
        _lose(own_rig, lambda: own_rig.inner.remove(own_rig.task))


def test_ended_container_is_noticed_and_its_output_delivered(own_rig: StepRig) -> None:
    """A container whose main process ends under a step: all output is delivered, then the loss is said."""
    out = Recorder()
    with pytest.raises(ContainerLost, match=own_rig.task.name) as caught:
        _lose(own_rig, lambda: own_rig.kill("adjutant-runner pause", 15), out)
    assert bytes(out.data) == b"started\n"
    assert caught.value.reason == "exited"


def test_dead_runner_is_noticed(own_rig: StepRig) -> None:
    """Without its runner a step never ends: said at once, though the container lives."""
    if own_rig.kind == "faulty":
        pytest.skip("not here: the loss is the same through any stream")
    with pytest.raises(ContainerError, match="lost its step runner"):
        _lose(own_rig, lambda: own_rig.kill("adjutant-runner run", 9))


def test_runner_killed_for_memory_is_out_of_memory(own_rig: StepRig) -> None:
    """A container that has killed for memory and lost its runner is out of memory, with limit and peak."""
    own_rig.run("x=$(head -c 200000000 /dev/zero | tr '\\0' x)")
    with pytest.raises(OutOfMemory) as caught:
        _lose(own_rig, lambda: own_rig.kill("adjutant-runner run", 9))
    assert f"limit {LIMIT} bytes" in caught.value.details


def test_start_in_a_dead_container_is_a_loss(own_rig: StepRig) -> None:
    """Starting a step in a removed container names it at once."""
    own_rig.inner.remove(own_rig.task)
    with pytest.raises((ContainerLost, ContainerNotFound), match=own_rig.task.name):
        own_rig.steps.start(own_rig.task, own_rig.spec("true"))


def _lose(rig: StepRig, kill: Callable[[], object], out: Recorder | None = None) -> None:
    """Follow a step, call `kill` when it has written; fails if the loss takes longer than 30 s to be noticed."""
    seen = out or Recorder()
    spec = rig.spec("echo started; sleep 1000")
    rig.steps.start(rig.task, spec)
    killed: list[float] = []
    too_late = threading.Event()

    def act() -> None:
        seen.some.wait(120)
        kill()
        killed.append(time.monotonic())
        if not noticed.wait(30):
            too_late.set()

    noticed = threading.Event()
    killer = threading.Thread(target=act)
    killer.start()
    try:
        rig.steps.follow(rig.task, spec.name, seen, interrupt=too_late)
    finally:
        noticed.set()
        killer.join()
        assert killed
        assert not too_late.is_set()


def _output(rig: StepRig, name: str) -> bytes:
    """What a step has written so far."""
    return rig.file(name, "out") or b""


def _wait_for(condition: Callable[[], bool], timeout: float = 120.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
