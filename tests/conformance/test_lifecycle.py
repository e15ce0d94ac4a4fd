"""Promises of create, start, wait, state, remove, run, logs and lists."""

from __future__ import annotations

import pytest

from koji_adjutant.container.interface import LABEL_MANAGED, LABEL_TASK, LABEL_WORKER, ContainerStatus
from koji_adjutant.errors import (
    ContainerError,
    ContainerLost,
    ContainerNotFound,
    ContainerTimeout,
    ExecError,
    ImageError,
)
from tests.conformance import scripts
from tests.conformance.patient import Gathered
from tests.conformance.runtime import PATIENCE


def test_states_of_a_life(runtime):
    """A container is created, running, exited with its code, and missing after its removal."""
    handle = runtime.created(command=scripts.read_file("/work/nosuch"))
    assert runtime.manager.state(handle).status is ContainerStatus.CREATED
    runtime.manager.start(handle)
    state = runtime.manager.wait(handle, PATIENCE)
    assert (state.status, state.exit_code, state.oom_killed) == (ContainerStatus.EXITED, 1, False)
    runtime.manager.remove(handle)
    assert runtime.manager.state(handle).status is ContainerStatus.MISSING
    assert runtime.manager.wait(handle, PATIENCE).status is ContainerStatus.MISSING


def test_create_twice(runtime):
    """Creating the same again gives the first one."""
    spec = runtime.spec()
    assert runtime.manager.create(spec) == runtime.manager.create(spec)
    assert runtime.left() == [spec.name]


def test_create_with_other_labels(runtime):
    """A container of the same name and another owner is `conflict`, naming it."""
    spec = runtime.spec(labels={LABEL_TASK: "1"})
    runtime.manager.create(spec)
    with pytest.raises(ContainerError) as caught:
        runtime.manager.create(runtime.spec(name=spec.name, labels={LABEL_TASK: "2"}))
    assert caught.value.reason == "conflict"
    assert spec.name in caught.value.brief


def test_start_twice_starts_once(runtime):
    """Starting a running container leaves it as it is."""
    handle = runtime.created(command=scripts.mark_and_idle("/work/starts"))
    runtime.manager.start(handle)
    runtime.manager.start(handle)
    for _ in range(200):
        if found := runtime.manager.exec(handle, scripts.read_file("/work/starts")).stdout:
            break
    assert found == b"ran\n"


def test_start_after_the_end(runtime):
    """A container that ran and ended is not run again."""
    handle = runtime.running(command=scripts.exit_with("0"))
    runtime.manager.wait(handle, PATIENCE)
    with pytest.raises(ContainerLost) as caught:
        runtime.manager.start(handle)
    assert caught.value.reason == "exited"


def test_start_of_a_missing_container(runtime):
    """A container that is gone is `ContainerNotFound`."""
    handle = runtime.created()
    runtime.manager.remove(handle)
    with pytest.raises(ContainerNotFound):
        runtime.manager.start(handle)


def test_remove_twice(runtime):
    """Removing what is gone is fine."""
    handle = runtime.running()
    runtime.manager.remove(handle)
    runtime.manager.remove(handle)
    assert runtime.left() == []


def test_wait_has_a_deadline(runtime):
    """A wait that takes too long is `ContainerTimeout`, never an exit code."""
    handle = runtime.running()
    with pytest.raises(ContainerTimeout):
        runtime.manager.wait(handle, 0.2)


def test_missing_image(runtime):
    """A container of an image that is not in the store is `ImageError`, naming it, and leaves nothing."""
    with pytest.raises(ImageError) as caught:
        runtime.created(image="localhost/nosuch:1")
    assert caught.value.reason == "missing"
    assert "localhost/nosuch:1" in caught.value.brief
    assert runtime.left() == []


def test_failed_start_can_be_removed(runtime):
    """A container that cannot be started is an error, stays until removed, and can be."""
    handle = runtime.created(command=["/nosuch"], init=False)
    with pytest.raises(ContainerError) as caught:
        runtime.manager.start(handle)
    assert handle.name in caught.value.brief
    runtime.manager.remove(handle)
    assert runtime.left() == []


def test_run_collects_and_removes(runtime):
    """`run` gives the end and the output of PID 1, apart and byte for byte, and leaves nothing."""
    result = runtime.manager.run(runtime.spec(command=scripts.say_binary()), PATIENCE)
    assert (result.exit_code, result.stdout, result.stderr) == (0, b"\xff\x00\x80a\r\n\nb", b"\xfe\x00e")
    assert runtime.left() == []


def test_run_out_of_time(runtime):
    """`run` that takes too long is `ContainerTimeout`, and leaves nothing."""
    with pytest.raises(ContainerTimeout):
        runtime.manager.run(runtime.spec(), 1)
    assert runtime.left() == []


def test_run_with_too_much_output(runtime):
    """`run` with more than 8 MiB of output is an error, and leaves nothing."""
    with pytest.raises(ExecError):
        runtime.manager.run(runtime.spec(command=scripts.flood(str(9 << 20))), PATIENCE)
    assert runtime.left() == []


def test_run_that_cannot_start(runtime):
    """`run` of a program that is not there leaves nothing."""
    with pytest.raises(ContainerError):
        runtime.manager.run(runtime.spec(command=["/nosuch"], init=False), PATIENCE)
    assert runtime.left() == []


def test_logs_of_pid_1(runtime):
    """The log holds what PID 1 printed, and can be read again; a cap holds."""
    handle = runtime.running(command=scripts.say("printed", "", "0"))
    runtime.manager.wait(handle, PATIENCE)
    for _ in range(2):
        log = Gathered()
        runtime.manager.stream_logs(handle, log)
        assert bytes(log.data) == b"printed"
    log = Gathered()
    runtime.manager.stream_logs(handle, log, max_bytes=3)
    assert bytes(log.data) == b"pri"


def test_list_by_labels(runtime):
    """Containers are found by all labels given, running or not, with labels and state."""
    first = runtime.running(labels={LABEL_TASK: "1"})
    second = runtime.created(labels={LABEL_TASK: "2"})
    mine = {LABEL_WORKER: runtime.worker}
    assert {info.handle for info in runtime.manager.list_managed(mine)} == {first, second}
    (found,) = runtime.manager.list_managed({**mine, LABEL_TASK: "1"})
    assert (found.handle, found.status) == (first, ContainerStatus.RUNNING)
    assert found.labels[LABEL_MANAGED] == "true"
    assert found.created_at > 1_000_000_000
    assert runtime.manager.list_managed({**mine, LABEL_TASK: "3"}) == []


def test_two_containers_do_not_mix(runtime):
    """Files and processes of one container are not those of another of the same image."""
    first, second = runtime.running(), runtime.running()
    runtime.manager.copy_to(first, b"first", "/work/file")
    assert runtime.manager.exec(second, scripts.read_file("/work/file")).exit_code == 1
    with pytest.raises(ContainerTimeout):
        runtime.manager.exec(first, scripts.hang_with_children(), timeout=1)
    assert runtime.output(second, scripts.count_hanging()).strip() == b"0"


def test_health(runtime):
    """The runtime says what it is and can, and has no problems here."""
    health = runtime.manager.health_check()
    assert health.runtime == runtime.name.removeprefix("faulty-").replace("rootless", "podman")
    assert health.rootless == (runtime.name == "rootless")
    assert health.capabilities == runtime.capabilities
    assert list(health.problems) == []
