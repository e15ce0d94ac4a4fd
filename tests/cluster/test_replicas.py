"""Three replicas on two host names, their tasks in pods: one is killed, and the one that stood by goes on with its build."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.conftest import Place
from tests.conformance import images
from tests.distro.images import Images
from tests.distro.make import Distro
from tests.support import cluster
from tests.support.farm import HOST, Farm
from tests.support.farm_fixtures import MakeSource, spec_text
from tests.support.git_server import reachable_address

DAEMON = (sys.executable, "-m", "tests.support.idle_machine_daemon")
OTHER = "builder2"
SECONDS = 120.0


@dataclass
class Pool:
    """A farm with two hosts, and what its replicas say."""

    farm: Farm

    def start(self) -> None:
        """Start one more replica."""
        name = f"replica-{len(self.farm.daemons)}"
        self.farm.start(*DAEMON, POD_NAME=name, POD_UID="uid")

    def log(self, number: int) -> str:
        return (self.farm.directory / f"daemon-{number}.log").read_text(errors="replace")

    def having(self, text: str) -> list[int]:
        """Numbers of the replicas whose log holds a text."""
        return [number for number in range(len(self.farm.daemons)) if text in self.log(number)]


@pytest.fixture
def pool(
    module_place: Place, distro: Distro, podman_socket: Path, test_images: Images, tmp_path: Path
) -> Iterator[Pool]:
    """No replica runs yet."""
    address = os.environ.get("ADJUTANT_TEST_CLUSTER_ADDRESS") or reachable_address()
    if address is None:
        pytest.skip("this machine has no address that pods could reach")
    static = cluster.runner_image(images.podman)
    cluster.load(images.podman, static, test_images.tools, test_images.empty)
    hosts = []
    for name in (HOST, OTHER):
        (tmp_path / name).write_text(f"of {name}")
        hosts.append({"name": name, "user": name, "password_file": str(tmp_path / name)})
    section = {
        "config": str(cluster.kubeconfig()),
        "namespace": module_place.namespace,
        "runner_image": static,
        "runner_directory": cluster.RUNNER_DIRECTORY,
        "empty_image": test_images.empty,
        "seccomp_profile": cluster.seccomp_profile(),
    }
    config = {"runtime": "kubernetes", "kubernetes": section, "hosts": hosts}
    directory = Path(tempfile.mkdtemp(prefix="adjutant-farm-"))
    try:
        with Farm(directory, distro.repo, podman_socket, test_images.tools, config=config, address=address) as farm:
            (tmp_path / HOST).write_text("of the builder")
            farm.hub.add_host(OTHER, "x86_64", password=f"of {OTHER}", capacity=20.0)
            yield Pool(farm)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_a_build_survives_its_replica(pool: Pool, make_source: MakeSource) -> None:
    """Each name has one replica; the third stands by, claims the name of the killed one and adopts its pod."""
    farm = pool.farm
    for _ in range(3):
        pool.start()
    farm.until(lambda: len(pool.having("lease.claimed")) == 2, "two claims", SECONDS)
    farm.until(lambda: len(pool.having("lease.standing_by")) == 1, "the standby", SECONDS)
    (waiting,) = pool.having("lease.standing_by")
    assert waiting not in pool.having("lease.claimed")
    source = make_source("slow", spec_text("slow", "for n in $(seq 400); do echo line-$n; sleep 0.25; done"))
    task = farm.build_arch(source)
    farm.until(lambda: "line-5\n" in farm.text(task, "build.log"), "the build", SECONDS)
    (holder,) = pool.having("task.started")
    farm.daemons[holder].kill()
    farm.daemons[holder].wait()
    farm.until(lambda: waiting in pool.having("lease.claimed"), "the claim of the third", SECONDS)
    farm.until(lambda: waiting in pool.having("task.adopted"), "the adoption", SECONDS)
    farm.until(lambda: farm.state(task) in {"CLOSED", "FAILED"}, "the end of the build", 300.0)
    assert farm.state(task) == "CLOSED", farm.fault(task)
    lines = [line for line in farm.text(task, "build.log").splitlines() if line.startswith("line-")]
    assert lines == [f"line-{number}" for number in range(1, 401)]
    assert len(farm.buildroots(task)) == 1
