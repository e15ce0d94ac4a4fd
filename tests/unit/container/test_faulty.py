"""The wrapper that fails from a seed."""

from __future__ import annotations

import pytest

from koji_adjutant.container.faulty import FaultyManager
from koji_adjutant.container.interface import ContainerSpec
from koji_adjutant.container.memory_manager import MemoryManager
from koji_adjutant.errors import ContainerError, ExecError, RuntimeUnavailable

SPEC = ContainerSpec("c", "image", command=("sleep", "infinity"))


def _manager(seed, rate):
    inner = MemoryManager()
    inner.add_image("image")
    inner.program("talk", lambda process: (process.stdout(b"x" * 100), 0)[1])
    return FaultyManager(inner, seed, rate, sleep=lambda _: None)


def _story(seed, rate=0.3):
    """What happens in a fixed series of calls."""
    manager = _manager(seed, rate)
    found = []
    handle = manager.inner.create(SPEC)
    manager.inner.start(handle)
    for _ in range(40):
        try:
            found.append(manager.exec(handle, ["talk"]).stdout)
        except ContainerError as error:
            found.append(error.reason)
    return found


def test_same_seed_same_faults():
    """A seed gives the same faults each time; another seed others."""
    assert _story(1) == _story(1)
    assert _story(1) != _story(2)


def test_no_faults_at_rate_zero():
    """At rate 0 it is the manager itself."""
    assert _story(1, 0.0) == [b"x" * 100] * 40


def test_all_failures_are_retryable_and_nothing_is_altered():
    """Results are right or an error that may pass: nothing else."""
    found = _story(3)
    assert set(found) == {b"x" * 100, "unavailable", "unknown-end"}


def test_lost_reply_to_create():
    """A creation whose reply was lost has happened, and repeating it gives that container."""
    manager = _manager(5, 0.5)
    for _ in range(50):
        try:
            handle = manager.create(SPEC)
            break
        except RuntimeUnavailable:
            continue
    assert [info.handle for info in manager.inner.list_managed({})] == [handle]


def test_cut_stream_delivers_a_prefix():
    """What a cut stream delivered is a prefix of the truth."""
    manager = _manager(7, 0.6)
    handle = manager.inner.create(SPEC)
    manager.inner.start(handle)
    for _ in range(60):
        pieces = []
        try:
            manager.exec(handle, ["talk"], stdout=pieces.append)
        except ExecError:
            break
        except RuntimeUnavailable:
            continue
    assert b"".join(pieces) != b"x" * 100
    assert (b"x" * 100).startswith(b"".join(pieces))


def test_rate_one_fails():
    """At rate 1 nothing gets through."""
    with pytest.raises(RuntimeUnavailable):
        _manager(1, 1.0).health_check()
