"""Scratch builds by a Deployment of three replicas on three hosts of a hub, with a restart and a scaling in their midst.

`python -m tests.compare.replicas --lab STATE/etc/lab.json --image IMAGE`: KUBECONFIG names the cluster, IMAGE is the
daemon's (packaging/Containerfile). Exit code 1 if a build is not CLOSED or one of its tasks ran twice.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import koji

from tests.compare.lab import LabHub
from tests.conformance import images as store
from tests.distro.images import the_images
from tests.distro.make import the_distro
from tests.distro.sample_packages import the_samples
from tests.support import cluster
from tests.support.deployment import Deployment, Hub, Site, overlay, rendered
from tests.support.replica_run import Report, run

SOURCES = ("hello-c", "noarch-data", "many-subpackages", "dynamic-br", "unicode")
UID = 1000
"""Of the daemon, in the shipped image."""


def main(arguments: Sequence[str]) -> int:
    """Build; 0: all CLOSED, none twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.compare.replicas", description=__doc__)
    parser.add_argument("--lab", type=Path, required=True, help="lab.json of the hub, with as many hosts as replicas")
    parser.add_argument("--image", required=True, help="the daemon's image, in Podman's store")
    parser.add_argument("--namespace", default="adjutant-replicas")
    parser.add_argument("--builds", type=int, default=30)
    parser.add_argument("--timeout", type=float, default=3600.0)
    options = parser.parse_args(arguments)
    lab = json.loads(options.lab.read_text())
    hub = LabHub(options.lab, "lab-build")
    hub.repo()
    directory = Path(tempfile.mkdtemp(prefix="adjutant-replicas-"))
    try:
        report, tasks = _build(lab, hub, options, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return _judge(hub, report, tasks)


def _build(
    lab: Mapping[str, object], hub: LabHub, options: argparse.Namespace, directory: Path
) -> tuple[Report, list[int]]:
    site = _site(lab, options, directory)
    replicas = len(site.hub.passwords)
    (directory / "overlay").mkdir()
    overlay(site, replicas, directory / "overlay")
    objects = rendered(directory / "overlay", cluster.server_minor())
    deployment = Deployment(site.namespace)
    deployment.apply(objects)
    try:
        deployment.settled(300)
        samples = the_samples()
        sources = {name: hub.upload(samples[name]) for name in SOURCES}
        names = [SOURCES[number % len(SOURCES)] for number in range(options.builds)]
        tasks = [hub.build(sources[name], str(lab["target"]), {"scratch": True}) for name in names]
        return run(deployment, tasks, _state(hub), replicas, options.timeout, _say), tasks
    finally:
        deployment.delete(objects)


def _site(lab: Mapping[str, object], options: argparse.Namespace, directory: Path) -> Site:
    images = the_images(the_distro())
    cluster.load(store.podman, options.image, images.tools, images.empty)
    state = directory / "state"
    state.mkdir()
    os.chown(state, UID, UID)
    directory.chmod(0o755)
    hosts = lab["hosts"]
    assert isinstance(hosts, list)
    passwords = {entry["name"]: entry["password"] for entry in hosts}
    return Site(
        options.namespace,
        Hub(str(lab["hub"]), str(lab["topurl"]), passwords),
        options.image,
        images.tools,
        images.empty,
        state,
        cluster.seccomp_profile(),
    )


def _state(hub: LabHub) -> Callable[[int], str]:
    return lambda task: koji.TASK_STATES[hub.session.getTaskInfo(task)["state"]]


def _judge(hub: LabHub, report: Report, tasks: Sequence[int]) -> int:
    """Say what was seen; 1 if something is wrong with it."""
    buildroots = {}
    for task in tasks:
        for child in hub.session.getTaskDescendents(task).values():
            for entry in child:
                rows = hub.session.listBuildroots(taskID=entry["id"])
                if entry["method"] == "buildArch" or rows:
                    buildroots[entry["id"]] = len(rows)
    again = {task: count for task, count in buildroots.items() if count != 1}
    _say(f"states: {dict(report.counts)}; {report.seconds:.0f} s; replicas seen: {len(report.replicas)}")
    _say(f"tasks with pods: {len(report.pods)}; with two pods for one purpose: {report.twice or 'none'}")
    _say(f"tasks with buildroots: {len(buildroots)}; with more or fewer than one: {again or 'none'}")
    _say(f"looks at the pods that failed: {report.unseen}")
    good = set(report.counts) == {"CLOSED"} and not report.twice and not again
    return 0 if good else 1


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
