"""Many builds at once on a hub whose work two builders share: nothing lost, nothing run twice.

`python -m tests.compare.share --lab STATE/etc/lab.json --builds 30 [--hosts builder1,builder2]`: asks for scratch builds of the
samples that build, waits, and looks at every task of every tree. Exit code 1 if a build did not end CLOSED, a task ran in two
places, or one host did nothing.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import koji

from tests.compare.lab import LabHub
from tests.distro.sample_packages import the_samples

SAMPLES = ("hello-c", "noarch-data", "many-subpackages", "unicode", "odd-modes")


def main(arguments: Sequence[str]) -> int:
    """Build; 0: all is as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.compare.share", description=__doc__)
    parser.add_argument("--lab", type=Path, required=True, help="lab.json of the hub")
    parser.add_argument("--builds", type=int, default=30)
    parser.add_argument("--hosts", default="builder1,builder2", help="hosts that share the work")
    parser.add_argument("--target", default="lab")
    parser.add_argument("--tag", default="lab-build")
    parser.add_argument("--timeout", type=float, default=3600.0)
    options = parser.parse_args(arguments)
    hub = LabHub(options.lab, options.tag)
    hub.repo()
    samples = the_samples()
    sources = {name: hub.upload(samples[name]) for name in SAMPLES}
    names = itertools.islice(itertools.cycle(SAMPLES), options.builds)
    builds = [hub.build(sources[name], options.target, {"scratch": True}) for name in names]
    hub.ended(builds, options.timeout)
    hosts = {hub.session.getHost(name)["id"]: name for name in options.hosts.split(",")}
    rows = [row for build in builds for row in _family(hub, build)]
    runs = {row["id"]: hub.session.scheduler.getTaskRuns([["task_id", "=", row["id"]]]) for row in rows}
    found = [*problems(rows, runs), *_buildroots(hub, rows), *_idle(rows, hosts)]
    work = Counter((hosts.get(row["host_id"], "?"), row["method"]) for row in rows)
    for (host, method), number in sorted(work.items()):
        _say(f"{host}: {number} x {method}")
    for problem in found:
        _say(f"PROBLEM {problem}")
    _say(f"{len(builds)} builds, {len(rows)} tasks, {len(found)} problems")
    return 1 if found else 0


def problems(rows: Iterable[Mapping[str, Any]], runs: Mapping[int, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Yield what is wrong with the tasks, by their states and the scheduler's record of their runs (pure)."""
    for row in rows:
        state = koji.TASK_STATES[row["state"]]
        if state != "CLOSED":
            yield f"task {row['id']} ({row['method']}) is {state}"
        places = [run["host_id"] for run in runs.get(row["id"], ())]
        if len(places) > 1:
            yield f"task {row['id']} ({row['method']}) was given out {len(places)} times, to hosts {places}"


def _family(hub: LabHub, task_id: int) -> Iterator[Mapping[str, Any]]:
    yield hub.session.getTaskInfo(task_id)
    for child in hub.session.getTaskChildren(task_id):
        yield from _family(hub, child["id"])


def _buildroots(hub: LabHub, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A task that was run twice has made two buildroots."""
    for row in rows:
        if row["method"] in {"buildArch", "rebuildSRPM"}:
            number = len(hub.session.listBuildroots(taskID=row["id"]))
            if number != 1:
                yield f"task {row['id']} ({row['method']}) has {number} buildroots"


def _idle(rows: Sequence[Mapping[str, Any]], hosts: Mapping[int, str]) -> Iterator[str]:
    busy = {row["host_id"] for row in rows}
    for host_id, name in hosts.items():
        if host_id not in busy:
            yield f"host {name} did nothing"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
