"""Gauges of the daemon for Prometheus, read when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from koji_adjutant.monitoring.view import DaemonView

PREFIX = "koji_adjutant_"


class DaemonCollector:
    """A collector of the Prometheus client (`Collector`); `look` is called at each scrape."""

    def __init__(self, look: Callable[[], DaemonView]) -> None:
        self._look = look

    def describe(self) -> Iterator[Metric]:
        """Say nothing in advance: registering must not look at a daemon that is only starting."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Look once and yield all gauges."""
        view = self._look()
        info = InfoMetricFamily(PREFIX + "build", "Version and host name of the daemon.")
        info.add_metric([], {"version": view.version, "host": view.host})
        yield info
        yield _gauge("ready", "1 if the host takes tasks, as it was last told to the hub.", float(view.ready))
        yield _gauge("load", "Weights of the open tasks that do not wait, as the hub counts them.", view.load)
        if view.check_in_age is not None:
            yield _gauge("check_in_age_seconds", "Seconds since the hub last answered a check-in.", view.check_in_age)
        yield _running(view)
        yield _phase_ages(view)
        yield _disks(view)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _running(view: DaemonView) -> Metric:
    family = GaugeMetricFamily(
        PREFIX + "tasks_running", "Tasks that run here; waiting is yes for parents.", labels=["method", "waiting"]
    )
    running = Counter((task.method, "yes" if task.waiting else "no") for task in view.tasks)
    for (method, waiting), number in sorted(running.items()):
        family.add_metric([method, waiting], number)
    return family


def _phase_ages(view: DaemonView) -> Metric:
    family = GaugeMetricFamily(
        PREFIX + "phase_age_seconds",
        "Seconds that the task longest in a phase has been in it; there while one is.",
        labels=["method", "phase"],
    )
    ages: dict[tuple[str, str], float] = {}
    for task in view.tasks:
        # A parent waits for others, however long: what is stuck is a child, here or on another host.
        if task.phases and not task.waiting:
            phase = task.phases[-1]
            age = max(0.0, view.now - phase.began)
            ages[task.method, phase.name] = max(age, ages.get((task.method, phase.name), 0.0))
    for (method, phase_name), age in sorted(ages.items()):
        family.add_metric([method, phase_name], age)
    return family


def _disks(view: DaemonView) -> Metric:
    family = GaugeMetricFamily(
        PREFIX + "disk_free_bytes", "Free bytes of a file system that needs minspace.", labels=["path"]
    )
    for path, free_mb in {disk.path: disk.free_mb for disk in view.disks}.items():
        if free_mb is not None:
            family.add_metric([path], free_mb * (1 << 20))
    return family
