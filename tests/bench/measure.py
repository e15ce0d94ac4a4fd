"""One measured buildArch: from its opening to the first rpmbuild process, and to its end."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.process_watch import RpmbuildWatch

ENDED = {2: "CLOSED", 3: "CANCELED", 5: "FAILED"}


@dataclass(frozen=True)
class Run:
    """Seconds from the opening of a task, and when that was."""

    to_rpmbuild: float
    to_end: float
    opened: float = 0.0


@dataclass(frozen=True)
class Series:
    """Runs of one builder in one condition."""

    builder: str
    condition: str
    runs: tuple[Run, ...]

    @property
    def to_rpmbuild(self) -> float:
        return statistics.median(run.to_rpmbuild for run in self.runs)

    @property
    def to_end(self) -> float:
        return statistics.median(run.to_end for run in self.runs)


def measure(
    make_task: Callable[[], int], task_info: Callable[[int], Any], spec: str = "hello-c", timeout: float = 300.0
) -> Run:
    """Make a task that builds `spec`, wait for its end.

    Raises:
        RuntimeError: it did not end well.
    """
    with RpmbuildWatch(spec) as watch:
        task = make_task()
        deadline = time.monotonic() + timeout
        while (info := task_info(task))["state"] not in ENDED:
            if time.monotonic() > deadline:
                raise RuntimeError(f"task {task} did not end within {timeout:g} s")
            time.sleep(0.1)
    if info["state"] != 2 or watch.first is None:
        raise RuntimeError(f"task {task} ended {ENDED[info['state']]}, rpmbuild seen: {watch.first is not None}")
    return Run(watch.first - info["start_ts"], info["completion_ts"] - info["start_ts"], info["start_ts"])


def table(series: Sequence[Series], baseline: Series | None) -> str:
    """Return medians, and ratios to the baseline where there is one."""
    lines = [f"{'builder':<16}{'condition':<12}{'to rpmbuild':>12}{'to closed':>11}{'ratios':>18}"]
    for one in series:
        ratios = ""
        if baseline is not None and one is not baseline:
            ratios = f"{one.to_rpmbuild / baseline.to_rpmbuild:.2f} {one.to_end / baseline.to_end:.2f}"
        lines.append(f"{one.builder:<16}{one.condition:<12}{one.to_rpmbuild:>10.2f} s{one.to_end:>9.2f} s{ratios:>18}")
    return "\n".join(lines)
