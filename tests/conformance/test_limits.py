"""Promises about limits, isolation and user namespaces."""

from __future__ import annotations

import pytest

from koji_adjutant.container.interface import ContainerStatus, ResourceLimits
from koji_adjutant.errors import OutOfMemory
from tests.conformance import scripts
from tests.conformance.runtime import PATIENCE

MEMORY = 64 << 20
LIMITS = ResourceLimits(cpus=0.5, memory_bytes=MEMORY, pids=200, nofile=500)


def test_memory_limit_is_visible(runtime):
    """The container sees its memory limit."""
    assert int(runtime.output(runtime.running(limits=LIMITS), scripts.memory_limit())) == MEMORY


def test_pids_limit_is_visible(runtime):
    """The container sees its limit of processes."""
    assert int(runtime.output(runtime.running(limits=LIMITS), scripts.pids_limit())) == 200


def test_cpu_limit_is_visible(runtime):
    """The container sees its share of processors."""
    assert runtime.output(runtime.running(limits=LIMITS), scripts.cpu_limit()).split() == [b"50000", b"100000"]


def test_nofile_limit_is_visible(runtime):
    """The container sees its limit of open files."""
    assert int(runtime.output(runtime.running(limits=LIMITS), scripts.nofile_limit())) == 500


def test_out_of_memory_is_named(runtime):
    """A container whose PID 1 the memory limit killed says so."""
    handle = runtime.running(limits=LIMITS, command=scripts.eat_memory())
    state = runtime.manager.wait(handle, PATIENCE)
    assert (state.status, state.exit_code, state.oom_killed) == (ContainerStatus.EXITED, 137, True)
    assert state.reason == "OOMKilled"


def test_run_out_of_memory(runtime):
    """`run` that the memory limit ended is `OutOfMemory`, naming the limit, and leaves nothing."""
    with pytest.raises(OutOfMemory) as caught:
        runtime.manager.run(runtime.spec(limits=LIMITS, command=scripts.eat_memory()), PATIENCE)
    assert str(MEMORY) in caught.value.details
    assert runtime.left() == []


def test_killed_is_not_out_of_memory(runtime):
    """A container that was killed for another reason does not claim to have run out of memory."""
    handle = runtime.running(limits=LIMITS, command=scripts.die_by("9"))
    state = runtime.manager.wait(handle, PATIENCE)
    assert (state.exit_code, state.oom_killed) == (137, False)


def test_no_network_but_lo(box):
    """Without a network there is only `lo`, and it is up."""
    runtime, handle = box
    assert runtime.output(handle, scripts.interfaces()) == b"lo\n"


def test_user_namespace_of_its_own(runtime):
    """Root of a container is nobody on the host, and nobody of another container."""
    first, second = (runtime.manager.host_ids(runtime.running()) for _ in range(2))
    assert 0 not in {*first, *second}
    assert abs(first[0] - second[0]) >= 65536
