"""What is counted while the daemon works. Every part may count; only `monitoring` reads.

Names and labels are an interface: dashboards and alerts hang on them (docs/metrics.md, checked by a test). Labels are bounded:
task methods, hub methods, phases, words of ours; never a task id, a package or a path of a task.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()
"""Ours alone: nothing that a library puts into the default one gets out."""

SHORT = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Buckets for calls and starts, in seconds."""
LONG = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0)
"""Buckets for tasks and phases, in seconds."""

TASKS = Counter(
    "koji_adjutant_tasks",
    "Task runs that ended here; result is closed, failed, refused, freed, cancelled or left (to the next daemon).",
    ["method", "result"],
    registry=REGISTRY,
)
TASK_SECONDS = Histogram(
    "koji_adjutant_task_seconds",
    "Seconds from the start of a task run here to its end, waiting for children included.",
    ["method"],
    buckets=LONG,
    registry=REGISTRY,
)
QUEUE_SECONDS = Histogram(
    "koji_adjutant_task_queue_seconds",
    "Seconds from a task's creation at the hub to its opening here.",
    ["method"],
    buckets=LONG,
    registry=REGISTRY,
)
PHASE_SECONDS = Histogram(
    "koji_adjutant_phase_seconds",
    "Seconds of one phase of a task with a build root.",
    ["method", "phase"],
    buckets=LONG,
    registry=REGISTRY,
)
CONTAINER_START_SECONDS = Histogram(
    "koji_adjutant_container_start_seconds",
    "Seconds that the runtime took to start a container.",
    buckets=SHORT,
    registry=REGISTRY,
)
CONTAINER_FAILURES = Counter(
    "koji_adjutant_container_failures",
    "Failed operations of the container runtime by operation and reason.",
    ["operation", "reason"],
    registry=REGISTRY,
)
HUB_CALL_SECONDS = Histogram(
    "koji_adjutant_hub_call_seconds",
    "Seconds of calls to the hub, their retries included.",
    ["method"],
    buckets=SHORT,
    registry=REGISTRY,
)
HUB_CALL_ERRORS = Counter(
    "koji_adjutant_hub_call_errors",
    "Calls to the hub that failed in the end, by class of the error.",
    ["error"],
    registry=REGISTRY,
)
PREPARED_IMAGES = Counter(
    "koji_adjutant_prepared_images",
    "Roots that were wanted from a prepared image; result is hit or miss.",
    ["result"],
    registry=REGISTRY,
)
UPLOADED_BYTES = Counter(
    "koji_adjutant_uploaded_bytes",
    "Bytes sent to the hub; kind is log or file.",
    ["kind"],
    registry=REGISTRY,
)
ORPHANS_REMOVED = Counter(
    "koji_adjutant_orphans_removed",
    "Containers that belonged to no task any more and were swept.",
    registry=REGISTRY,
)
