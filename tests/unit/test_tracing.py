"""Spans: off by default, nested where they are on, and one trace for all runs of a task."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from koji_adjutant.tracing import span, start_tracing, task_span, trace_id, trace_with


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Takes all spans of the test."""
    memory = InMemorySpanExporter()
    stop = trace_with(SimpleSpanProcessor(memory), "builder1")
    yield memory
    stop()


def test_off_imports_nothing() -> None:
    """Without a collector the library is not even imported."""
    program = (
        "import sys; from koji_adjutant.tracing import *; start_tracing('off', 'b')()\n"
        "with task_span('build', 1, 2.0, adopted=False), span('phase'): pass\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_task_phase_and_step_nest(exporter: InMemorySpanExporter) -> None:
    """A step lies in its phase, the phase in its task; names and attributes are ours."""
    with (
        task_span("buildArch", 7, 1000.5, adopted=False),
        span("phase work", phase="work"),
        span("step rpmbuild-b", step="rpmbuild-b"),
    ):
        pass
    step, phase, task = exporter.get_finished_spans()
    assert (step.parent.span_id, phase.parent.span_id, task.parent) == (
        phase.context.span_id,
        task.context.span_id,
        None,
    )
    assert (task.name, dict(task.attributes)) == (
        "task buildArch",
        {"koji.task_id": 7, "koji.method": "buildArch", "koji.adopted": False},
    )
    assert {each.context.trace_id for each in (step, phase, task)} == {trace_id(7, 1000.5)}
    assert task.resource.attributes["service.instance.id"] == "builder1"


def test_two_runs_are_one_trace(exporter: InMemorySpanExporter) -> None:
    """The run that a later daemon adopts belongs to the trace of the first; another task has its own."""
    for task, adopted in ((7, False), (7, True), (8, False)):
        with task_span("build", task, 5.0, adopted=adopted):
            pass
    first, second, other = (each.context.trace_id for each in exporter.get_finished_spans())
    assert first == second != other


def test_a_failure_is_marked(exporter: InMemorySpanExporter) -> None:
    """An exception passes through, and its span says ERROR."""

    def fail() -> None:
        with span("step"):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    (failed,) = exporter.get_finished_spans()
    assert failed.status.status_code.name == "ERROR"


def test_the_end_is_the_end(exporter: InMemorySpanExporter) -> None:
    """Once tracing has been ended nothing is recorded any more."""
    start_tracing("off", "b")()
    with span("late"):
        pass
    assert exporter.get_finished_spans() == ()
