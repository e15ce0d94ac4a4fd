"""Gauges that are made from one look at the daemon."""

from __future__ import annotations

from typing import Any

from koji_adjutant.monitoring.collector import DaemonCollector
from koji_adjutant.monitoring.view import RunningView
from koji_adjutant.tasks.progress import PhaseTime
from tests.support.daemon_view import view


def running(task_id: int, phase: str, began: float, **known: Any) -> RunningView:
    phases = (PhaseTime("start", 1000.0), PhaseTime(phase, began))
    return RunningView(task_id, "buildArch", 1000.0, **{"waiting": False, "adopted": False, "phases": phases} | known)


def phase_ages(*tasks: RunningView) -> dict[tuple[str, str], float]:
    metrics = DaemonCollector(lambda: view(tasks=tasks, now=2000.0)).collect()
    (family,) = (metric for metric in metrics if metric.name == "koji_adjutant_phase_age_seconds")
    return {(sample.labels["method"], sample.labels["phase"]): sample.value for sample in family.samples}


def test_phase_has_the_age_of_the_task_longest_in_it() -> None:
    """One series for a method and a phase, however many tasks are in it."""
    tasks = [running(1, "root", 1990.0), running(2, "root", 1400.0), running(3, "build", 1999.0)]
    assert phase_ages(*tasks) == {("buildArch", "root"): 600.0, ("buildArch", "build"): 1.0}


def test_waiting_parents_have_no_phase_age() -> None:
    """They wait as long as their children need."""
    assert phase_ages(running(1, "waiting", 1100.0, waiting=True)) == {}


def test_clock_that_went_back_makes_no_negative_age() -> None:
    """A phase that began in what is now the future has just begun."""
    assert phase_ages(running(1, "root", 2005.0)) == {("buildArch", "root"): 0.0}
