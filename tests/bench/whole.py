"""How long a whole scratch build takes, from its creation and from the opening of its task; medians of several in one run.

`python -m tests.bench.whole --lab STATE/etc/lab.json` on a hub with stock timers (RunInterval 60), kojid + mock with a stock
`sleeptime` (15) as THEIRS. Ours is measured with `self_assign` off and auto. One host is enabled at a time, the three take
turns, so that whatever else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import koji
import yaml

from tests.compare.lab import LabHub
from tests.compare.trees import only
from tests.distro.images import the_images
from tests.distro.make import the_distro
from tests.distro.sample_packages import the_samples
from tests.support.farm import Farm
from tests.support.podman_host import PodmanService, prepare_host

SAMPLE = "hello-c"
THEIRS = "kojid + mock"


@dataclass(frozen=True)
class Run:
    """Seconds to the end of a build."""

    from_creation: float
    from_opening: float


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.whole", description=__doc__)
    parser.add_argument("--lab", type=Path, required=True, help="lab.json of the hub")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--ours", default="builder2")
    parser.add_argument("--theirs", default="builder1")
    parser.add_argument("--target", default="lab")
    parser.add_argument("--tag", default="lab-build")
    arguments = parser.parse_args()
    prepare_host()
    hub = LabHub(arguments.lab, arguments.tag)
    hub.repo()
    with tempfile.TemporaryDirectory(prefix="adjutant-bench-") as scratch, PodmanService() as podman:
        images = the_images(the_distro())
        with Farm(Path(scratch), the_distro().repo, podman.socket, images.tools, config={"poll": {}}) as farm:
            print(_table(_measure_all(farm, hub, arguments)))
    return 0


def _measure_all(farm: Farm, hub: LabHub, arguments: argparse.Namespace) -> dict[str, list[Run]]:
    lab = json.loads(arguments.lab.read_text())
    entry = next(host for host in lab["hosts"] if host["name"] == arguments.ours)
    farm.write_conf(
        server=lab["hub"],
        topurl=lab["topurl"],
        topdir=lab["topdir"],
        sleeptime=15,
        user=str(entry["user"]),
        password=str(entry["password"]),
    )
    daemon = farm.start()
    farm.until(lambda: hub.session.getHost(arguments.ours)["ready"], f"{arguments.ours} being ready")
    found: dict[str, list[Run]] = {}
    turns: list[tuple[str, str, str]] = [
        (THEIRS, arguments.theirs, "off"),
        ("koji-adjutant, off", arguments.ours, "off"),
        ("koji-adjutant, auto", arguments.ours, "auto"),
    ]
    for number in range(arguments.runs):
        for name, host, mode in turns:
            _set_mode(farm, daemon.pid, mode)
            # A build ends soon after a run of the scheduler: each round begins elsewhere in its interval, for all three alike.
            time.sleep(number * 13 % 60)
            with only(hub, host, (arguments.ours, arguments.theirs)):
                found.setdefault(name, []).append(_build(hub, arguments.target))
        print(f"round {number + 1}: " + ", ".join(f"{name} {runs[-1]}" for name, runs in found.items()), flush=True)
    return found


def _set_mode(farm: Farm, pid: int, mode: str) -> None:
    path = farm.directory / "adjutant.yaml"
    settings: dict[str, Any] = yaml.safe_load(path.read_text())
    before = farm.log_tail(1 << 20).count("config.reloaded")
    path.write_text(yaml.safe_dump(settings | {"self_assign": mode}))
    os.kill(pid, signal.SIGHUP)
    farm.until(lambda: farm.log_tail(1 << 20).count("config.reloaded") > before, "the reload")


def _build(hub: LabHub, target: str) -> Run:
    task = hub.build(hub.upload(the_samples()[SAMPLE]), target, {"scratch": True})
    hub.ended([task], 900.0)
    info = hub.session.getTaskInfo(task)
    if info["state"] != koji.TASK_STATES["CLOSED"]:
        raise RuntimeError(f"build task {task} ended {koji.TASK_STATES[info['state']]}")
    end = info["completion_ts"]
    return Run(end - info["create_ts"], end - info["start_ts"])


def _table(found: dict[str, list[Run]]) -> str:
    medians = {
        name: Run(
            statistics.median(run.from_creation for run in runs), statistics.median(run.from_opening for run in runs)
        )
        for name, runs in found.items()
    }
    base = medians[THEIRS]
    lines = [f"{'builder':<22}{'from creation':>15}{'from opening':>15}{'ratios':>14}"]
    for name, run in medians.items():
        ratios = f"{run.from_creation / base.from_creation:.2f} {run.from_opening / base.from_opening:.2f}"
        lines.append(f"{name:<22}{run.from_creation:>13.1f} s{run.from_opening:>13.1f} s{ratios:>14}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
