"""Counting around a runtime changes nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from koji_adjutant.container.interface import ContainerHandle, ContainerSpec
from koji_adjutant.container.memory_manager import MemoryManager
from koji_adjutant.errors import ContainerError, ContainerNotFound
from koji_adjutant.manager.observer import storage_path
from koji_adjutant.metrics import REGISTRY
from koji_adjutant.monitoring.measured_runtime import measured
from koji_adjutant.monitoring.start import count_call


def count(name: str, **labels: str) -> float:
    """The value of a metric now."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_starts_are_timed() -> None:
    """A start is passed on and observed."""
    inner = MemoryManager()
    inner.add_image("localhost/x:1", {})
    runtime = measured(inner)
    before = count("koji_adjutant_container_start_seconds_count")
    handle = runtime.create(ContainerSpec("c", "localhost/x:1", ("sleep", "inf")))
    runtime.start(handle)
    assert inner.state(handle).status == "running"
    assert count("koji_adjutant_container_start_seconds_count") == before + 1
    runtime.remove(handle)


def test_failures_are_counted_by_reason() -> None:
    """The error passes, with operation and reason on record."""
    labels = {"operation": "start", "reason": ContainerNotFound.reason}
    before = count("koji_adjutant_container_failures_total", **labels)
    with pytest.raises(ContainerError):
        measured(MemoryManager()).start(ContainerHandle("gone", "gone", "memory"))
    assert count("koji_adjutant_container_failures_total", **labels) == before + 1


def test_calls_are_counted() -> None:
    """Each call by its method, each failure by its class."""
    count_call("testCall", 0.2, "HubError")
    assert count("koji_adjutant_hub_call_seconds_count", method="testCall") == 1
    assert count("koji_adjutant_hub_call_errors_total", error="HubError") >= 1


def test_what_a_runtime_can_besides_is_seen_through_it() -> None:
    """Where the storage lies is asked for by name: a wrapper has no such method of its own."""

    class Stored(MemoryManager):
        def storage_path(self) -> Path:
            return Path("/var/lib/store")

    assert storage_path(measured(Stored())) == Path("/var/lib/store")
    assert storage_path(measured(MemoryManager())) is None
