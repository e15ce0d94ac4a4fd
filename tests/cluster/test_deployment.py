"""The shipped Deployment with its own image, Role and account: three replicas, restarted and scaled while they build.

`python -m tests.compare.replicas` is the same on a real hub, with as many builds as are asked for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conformance import images
from tests.distro.images import Images
from tests.distro.make import Distro
from tests.support import cluster
from tests.support.deployment import Deployment, Hub, Site, kubectl, overlay, rendered
from tests.support.farm import HOST, Farm
from tests.support.git_server import reachable_address
from tests.support.replica_run import run

ROOT = Path(__file__).parents[2]
PASSWORDS = {HOST: "of the builder", "builder2": "of builder2", "builder3": "of builder3"}
UID = 1000
"""Of the daemon, in the shipped image."""
SOURCES = ("hello-c", "noarch-data", "many-subpackages")
BUILDS = 6
SECONDS = 900.0


@pytest.fixture(scope="module")
def daemon_image(test_images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of packaging/Containerfile, made of this source on the tools image."""
    context = tmp_path_factory.mktemp("image")
    made = [sys.executable, str(ROOT / "packaging/dist.py"), "--no-srpm", "--output", str(context / "dist")]
    subprocess.run(made, check=True, capture_output=True)
    image = f"localhost/koji-adjutant-test-daemon:{os.getpid()}"
    build = ("build", "--quiet", "--pull=never", "--network=none", f"--build-arg=BASE={test_images.tools}")
    images.podman(*build, "--file", str(ROOT / "packaging/Containerfile"), "--tag", image, str(context))
    try:
        yield image
    finally:
        images.podman("rmi", "--force", image)


@pytest.fixture
def farm(distro: Distro, podman_socket: Path, test_images: Images) -> Iterator[Farm]:
    """A hub with three hosts that pods reach; no daemon runs here."""
    address = os.environ.get("ADJUTANT_TEST_CLUSTER_ADDRESS") or reachable_address()
    if cluster.kubeconfig() is None or address is None:
        pytest.skip("KUBECONFIG names no cluster, or this machine has no address that pods could reach")
    directory = Path(tempfile.mkdtemp(prefix="adjutant-farm-"))
    try:
        with Farm(directory, distro.repo, podman_socket, test_images.tools, address=address) as farm:
            for name, password in PASSWORDS.items():
                if name != HOST:
                    farm.hub.add_host(name, "x86_64", password=password, capacity=20.0)
            yield farm
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_builds_survive_a_restart_and_a_scaling(
    farm: Farm, daemon_image: str, test_images: Images, samples: Mapping[str, Path], tmp_path: Path
) -> None:
    """All end well, each in one pod and one buildroot; the replicas are others than at the beginning."""
    cluster.load(images.podman, daemon_image, test_images.tools, test_images.empty)
    state = farm.directory / "replicas"
    state.mkdir()
    os.chown(state, UID, UID)
    farm.directory.chmod(0o755)
    hub = Hub(farm.hub.url, farm.hub.topurl, PASSWORDS)
    names = (f"adjutant-deploy-{os.getpid()}", hub, daemon_image, test_images.tools, test_images.empty)
    site = Site(*names, state, cluster.seccomp_profile(), {"minspace": "1", "sleeptime": "1"})
    overlay(site, len(PASSWORDS), tmp_path)
    objects = rendered(tmp_path, cluster.server_minor())
    deployment = Deployment(site.namespace)
    deployment.apply(objects)
    try:
        deployment.settled(240)
        leases = kubectl("-n", site.namespace, "get", "leases", "-o", "name").split()
        assert len(leases) == len(PASSWORDS)
        first = set(deployment.replicas())
        tasks = [farm.build_arch(samples[SOURCES[number % len(SOURCES)]]) for number in range(BUILDS)]
        report = run(deployment, tasks, farm.state, len(PASSWORDS), SECONDS)
        assert report.counts == {"CLOSED": BUILDS}, deployment.logs()
        assert not report.twice
        assert {task: len(farm.buildroots(task)) for task in tasks} == dict.fromkeys(tasks, 1)
        assert not first & set(deployment.replicas())
    finally:
        deployment.delete(objects)
