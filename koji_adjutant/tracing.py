"""OpenTelemetry spans of tasks, their phases and their steps. Until `start_tracing` is called nothing is made or imported.

All runs of one task, before and after a restart of the daemon, are one trace: its id is made from the task. Attributes are
names and numbers of ours; nothing that a build has written.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from koji_adjutant.errors import ConfigurationError

SERVICE = "koji-adjutant"
EXPORT_SECONDS = 2
"""A collector that does not answer must not hold up the daemon's end."""


class _Current:
    """The tracer in use, if any."""

    tracer: Any = None


_wanted = threading.local()
"""`trace_id` of the task whose root span this thread is about to begin."""


@contextmanager
def span(name: str, **attributes: str | float | bool) -> Iterator[None]:
    """Measure what is done inside, below the span of the same thread that surrounds it; an exception marks it as failed."""
    if _Current.tracer is None:
        yield
        return
    named = {f"koji.{key}": value for key, value in attributes.items()}
    with _Current.tracer.start_as_current_span(name, attributes=named):
        yield


@contextmanager
def task_span(method: str, task_id: int, start_ts: float, *, adopted: bool) -> Iterator[None]:
    """Measure one run of a task, in the task's trace."""
    if _Current.tracer is None:
        yield
        return
    _wanted.trace_id = trace_id(task_id, start_ts)
    with span(f"task {method}", task_id=task_id, method=method, adopted=adopted):
        yield


def trace_id(task_id: int, start_ts: float) -> int:
    """Return the trace of a task: 128 bits that every daemon finds again."""
    return int.from_bytes(hashlib.sha256(f"{task_id} {start_ts!r}".encode()).digest()[:16], "big") or 1


def start_tracing(endpoint: str, host: str) -> Callable[[], None]:
    """Send spans to the collector at `endpoint` (OTLP over HTTP) from now on; `off` sends none. Returns what ends it.

    Raises:
        ConfigurationError: the libraries for it are not installed.
    """
    if endpoint == "off":
        return _stop
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigurationError(
            f"monitoring.traces is {endpoint}, and {error.name} is not installed",
            resolution="Install koji-adjutant[tracing] where koji-adjutant is installed, or set monitoring.traces to off.",
        ) from error
    return trace_with(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)), host)


def trace_with(processor: Any, host: str) -> Callable[[], None]:
    """Hand all spans to `processor` (of the OpenTelemetry SDK) from now on. Returns what ends it."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class TaskIds(RandomIdGenerator):
        """The trace of a task is the task's; any other is random."""

        def generate_trace_id(self) -> int:
            wanted = getattr(_wanted, "trace_id", None)
            return super().generate_trace_id() if wanted is None else int(wanted)

    resource = Resource.create({"service.name": SERVICE, "service.instance.id": host})
    provider = TracerProvider(resource=resource, id_generator=TaskIds(), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    _Current.tracer = provider.get_tracer(SERVICE)

    def stop() -> None:
        _stop()
        provider.shutdown()

    return stop


def _stop() -> None:
    _Current.tracer = None
