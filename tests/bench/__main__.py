"""`make bench`: how long a buildArch takes, prepared and cold, and what the daemon costs; medians of five in one run.

Alone it measures this builder on the embedded hub. With LAB=STATE/etc/lab.json (see `make builder`) and a kojid + mock
that runs as THEIRS on that hub, it measures both on the same hub in turn, prints ratios, and draws them into CHART.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import koji

from koji_adjutant.buildroot.prepared import REPOSITORY
from koji_adjutant.container.podman_manager import PodmanManager
from tests.bench.chart import Bar, chart
from tests.bench.measure import Run, Series, measure, table
from tests.bench.process_watch import memory_kib
from tests.compare.lab import LabHub
from tests.distro.images import the_images
from tests.distro.make import the_distro
from tests.distro.sample_packages import the_samples
from tests.support.farm import Farm
from tests.support.podman_host import PodmanService, prepare_host

SAMPLE = "hello-c"
IDLE_SECONDS = 60.0


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--lab", type=Path, default=os.environ.get("LAB") or None)
    parser.add_argument("--ours", default=os.environ.get("OURS", "builder2"))
    parser.add_argument("--theirs", default=os.environ.get("THEIRS", "builder1"))
    parser.add_argument("--chart", type=Path, default=os.environ.get("CHART") or None, help="SVG file to write")
    arguments = parser.parse_args()
    prepare_host()
    with tempfile.TemporaryDirectory(prefix="adjutant-bench-") as scratch, PodmanService() as podman:
        images = the_images(the_distro())
        with Farm(Path(scratch), the_distro().repo, podman.socket, images.tools, config={"poll": {}}) as farm:
            if arguments.lab is None:
                _alone(farm, arguments.runs)
            else:
                _beside_kojid(farm, Lab(Path(arguments.lab)), arguments)
    return 0


def _alone(farm: Farm, runs: int) -> None:
    srpm = the_samples()[SAMPLE]
    calls: Counter[str] = Counter()
    farm.hub.after_call = lambda call: calls.update([call.method])
    farm.write_conf(sleeptime=15)
    pid = farm.start().pid
    farm.until(lambda: calls["host.updateHost"], "the first check-in")
    cold, prepared = _ours(farm.runtime, farm.directory / "state", runs, lambda: farm.build_arch(srpm), farm_info(farm))
    print(table([cold, prepared], None))
    before, began = calls.total(), time.monotonic()
    measure(lambda: farm.build_arch(srpm), farm_info(farm))
    print(f"hub calls per buildArch and its waiting: {calls.total() - before} in {time.monotonic() - began:.1f} s")
    before = calls.total()
    time.sleep(IDLE_SECONDS)
    print(f"hub calls per minute, idle: {(calls.total() - before) * 60 / IDLE_SECONDS:.0f}")
    print(f"memory of the daemon, KiB: {memory_kib(pid)}")


def farm_info(farm: Farm) -> Callable[[int], Any]:
    """Return a function that asks the embedded hub for a task."""
    return lambda task: farm.hub.call("getTaskInfo", task)


def _ours(
    runtime: PodmanManager,
    state: Path,
    runs: int,
    make_task: Callable[[], int],
    info: Callable[[int], Any],
    before: Callable[[], Any] = lambda: None,
) -> tuple[Series, Series]:
    cold, prepared = [], []
    for _ in range(runs):
        before()
        _forget(runtime, state)
        cold.append(measure(make_task, info))
        _wait_for_images(state)
        prepared.append(measure(make_task, info))
    return Series("koji-adjutant", "cold", tuple(cold)), Series("koji-adjutant", "prepared", tuple(prepared))


def _forget(runtime: PodmanManager, state: Path) -> None:
    """Remove prepared images and cached packages of this farm: the next task finds what a new repo id would find."""
    deadline = time.monotonic() + 60
    # The containers of the task before go a moment after its end; until then its image is in use.
    while not all(runtime.remove_image(f"{REPOSITORY}:{used.name}") for used in state.glob("prepared/*")):
        if time.monotonic() > deadline:
            raise RuntimeError("a prepared image is in use: no cold run can be measured")
        time.sleep(0.2)
    for path in [*state.glob("prepared/*"), *state.glob("packages/**/*")]:
        if path.is_file():
            path.unlink()


def _wait_for_images(state: Path, timeout: float = 180.0) -> None:
    """Wait until the prepared image is there and what made it is gone."""
    deadline = time.monotonic() + timeout
    while not list(state.glob("prepared/*")) or list(state.glob("prepare/*")):
        if time.monotonic() > deadline:
            raise RuntimeError("no prepared image came")
        time.sleep(0.2)


class Lab:
    """A real hub as its lab.json describes it."""

    def __init__(self, lab_file: Path) -> None:
        self.lab = lab = json.loads(lab_file.read_text())
        self.session = koji.ClientSession(lab["hub"], {"user": "admin", "password": "admin-pw"})
        self.session.login()
        self.tag = "lab-build"
        self.repo_id = LabHub(lab_file, self.tag).repo()

    def upload(self, srpm: Path) -> str:
        """Upload a source package once, return its path below work/."""
        directory = f"cli-build/bench.{time.time()}"
        self.session.uploadWrapper(str(srpm), directory)
        return f"{directory}/{srpm.name}"

    def make_task(self, host: str, srpm: str) -> int:
        """Make a buildArch task for one host."""
        arguments = [srpm, self.tag, "x86_64", True, {"repo_id": self.repo_id}]
        return int(self.session.makeTask("buildArch", arguments, assign=host, arch="x86_64"))

    def calls(self, user: str, since: float, until: float) -> int:
        """Count the calls of a user in a span of time, from the hub's call log."""
        lines = Path(self.lab["calls"]).read_text().splitlines()
        rows = (json.loads(line) for line in lines)
        return sum(1 for row in rows if row.get("user") == user and since <= row["t"] < until)


def _beside_kojid(farm: Farm, lab: Lab, arguments: argparse.Namespace) -> None:
    entry = next(host for host in lab.lab["hosts"] if host["name"] == arguments.ours)
    farm.write_conf(
        server=lab.lab["hub"], topurl=lab.lab["topurl"], topdir=lab.lab["topdir"], sleeptime=2, **_login(entry)
    )
    daemon = farm.start()
    farm.until(lambda: lab.session.getHost(arguments.ours)["ready"], f"{arguments.ours} being ready")
    srpm = lab.upload(the_samples()[SAMPLE])
    theirs: list[Run] = []
    # In turn, so that whatever else the machine does meets both.
    cold, prepared = _ours(
        farm.runtime,
        farm.directory / "state",
        arguments.runs,
        lambda: lab.make_task(arguments.ours, srpm),
        lab.session.getTaskInfo,
        before=lambda: theirs.append(measure(lambda: lab.make_task(arguments.theirs, srpm), lab.session.getTaskInfo)),
    )
    baseline = Series("kojid + mock", "always cold", tuple(theirs))
    print(table([baseline, cold, prepared], baseline))
    if arguments.chart:
        Path(arguments.chart).write_text(_chart([prepared, cold, baseline]))
    print("ratios: to rpmbuild, to closed")
    for name, runs in ((arguments.theirs, baseline.runs), (arguments.ours, (*cold.runs, *prepared.runs))):
        calls = sum(lab.calls(name, run.opened, run.opened + run.to_end) for run in runs)
        print(f"hub calls per minute, busy, {name}: {calls * 60 / sum(run.to_end for run in runs):.0f}")
    since = time.time()
    time.sleep(IDLE_SECONDS)
    for name in (arguments.theirs, arguments.ours):
        print(f"hub calls per minute, idle, {name}: {lab.calls(name, since, time.time()) * 60 / IDLE_SECONDS:.0f}")
    print(f"memory of the daemon, KiB: {memory_kib(daemon.pid)}")
    print(f"spread of kojid + mock, to closed: {statistics.pstdev([run.to_end for run in theirs]):.2f} s")


def _chart(series: list[Series]) -> str:
    bars = [Bar(f"{one.builder}, {one.condition}", one.to_rpmbuild, one.to_end) for one in series]
    runs = min(len(one.runs) for one in series)
    note = f"medians of {runs} runs, in turn on one machine; in brackets: whole task, kojid + mock = 1"
    return chart(bars, f"One buildArch of {SAMPLE}, from its opening", note)


def _login(entry: dict[str, Any]) -> dict[str, str]:
    return {"user": str(entry["user"]), "password": str(entry["password"])}


if __name__ == "__main__":
    sys.exit(main())
