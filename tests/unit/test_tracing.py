"""Spans: off by default, nested where they are on, and one trace for all runs of a task."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

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


def test_a_collector_gets_them() -> None:
    """With a URL spans are sent to it by OTLP over HTTP, at the latest when tracing ends."""
    requests: list[tuple[str, str | None, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        stop = start_tracing(f"http://127.0.0.1:{server.server_address[1]}/v1/traces", "builder1")
        with task_span("buildArch", 7, 1000.5, adopted=False):
            pass
        stop()
        server.shutdown()
    ((path, kind, body),) = requests
    assert (path, kind) == ("/v1/traces", "application/x-protobuf")
    assert b"task buildArch" in body
    assert b"builder1" in body
