"""What befalls pods under whole builds: each end has a reason of its own, soon; a build that can go on elsewhere does.

ADJUTANT_TEST_CLUSTER_ADDRESS is the address of this machine that pods reach; default: the one that the outside sees.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.container.interface import LABEL_MANAGED, LABEL_ROLE, LABEL_TASK
from koji_adjutant.container.kubernetes_api import MERGE_PATCH
from tests.cluster.conftest import Place
from tests.conformance import images
from tests.distro.images import Images
from tests.distro.make import Distro
from tests.support import cluster
from tests.support.farm import Farm
from tests.support.farm_fixtures import MakeSource, spec_text
from tests.support.free_port import free_port
from tests.support.git_server import reachable_address

DAEMON = (sys.executable, "-m", "tests.support.idle_machine_daemon")
PROMPT = 30.0
"""Seconds within which a reason must be told."""
TICKS = "for n in $(seq {count}); do echo tick-$n; sleep 0.25; done"
ABSENT = "localhost/adjutant-test/no-such-image:1"


@dataclass
class Scene:
    """A farm whose tasks are pods of a namespace, and its status page."""

    place: Place
    farm: Farm
    page: str

    def path(self, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.place.namespace}/pods{'/' if name else ''}{name}"

    def pods(self, task: int) -> dict[str, dict[str, Any]]:
        """Pods of a task by name."""
        query = [("labelSelector", f"{LABEL_MANAGED}=true,{LABEL_TASK}={task}")]
        items = self.place.api.request("GET", self.path(), query=query)["items"]
        return {pod["metadata"]["name"]: pod for pod in items}

    def building(self, source: Path, tick: str = "tick-5\n") -> tuple[int, str]:
        """Start a build and wait until it has printed `tick`; the task and the name of its pod."""
        task = self.farm.build_arch(source)
        self.farm.until(lambda: tick in self.farm.text(task, "build.log"), "the build", 180.0)
        (pod,) = self.pods(task)
        return task, pod

    def why(self) -> str:
        """Why the host takes no task, as the page says it; empty while there is no page."""
        try:
            with urllib.request.urlopen(f"{self.page}/api/status", timeout=10) as answer:
                return str(json.load(answer)["reason"])
        except OSError:
            return ""

    def doing(self, task: int) -> str:
        """What the page says that a task does."""
        with urllib.request.urlopen(f"{self.page}/api/status", timeout=10) as answer:
            found = json.load(answer)
        return "".join(entry["doing"] for entry in found["tasks"] if entry["task_id"] == task)

    def says(self, task: int, *words: str) -> None:
        """The task's log must say all of these soon."""
        began = time.monotonic()
        self.farm.until(lambda: all(word in self.farm.text(task, "start.log") for word in words), repr(words), PROMPT)
        sys.stdout.write(f"{words}: {time.monotonic() - began:.1f} s\n")

    def new_pod(self, task: int, old: str) -> None:
        """The task must go on in another pod, and end well, with its log whole."""
        self.farm.until(lambda: set(self.pods(task)) - {old}, "another pod", 60.0)
        self.farm.closed(task, 240.0)
        assert old not in self.pods(task)


@contextmanager
def made_scene(place: Place, distro: Distro, socket: Path, test_images: Images, **more: Any) -> Iterator[Scene]:
    """A scene with its daemon running; `more` goes into adjutant.yaml."""
    address = os.environ.get("ADJUTANT_TEST_CLUSTER_ADDRESS") or reachable_address()
    if address is None:
        pytest.skip("this machine has no address that pods could reach")
    static = cluster.runner_image(images.podman)
    cluster.load(images.podman, static, test_images.tools, test_images.empty)
    directory = Path(tempfile.mkdtemp(prefix="adjutant-farm-"))
    port = free_port()
    section = {
        "config": str(cluster.kubeconfig()),
        "namespace": place.namespace,
        "runner_image": static,
        "runner_directory": cluster.RUNNER_DIRECTORY,
        "empty_image": test_images.empty,
        "seccomp_profile": cluster.seccomp_profile(),
        **more.pop("kubernetes", {}),
    }
    listen = {"listen": f"127.0.0.1:{port}"}
    config = {"runtime": "kubernetes", "kubernetes": section, "monitoring": listen, **more}
    try:
        with Farm(directory, distro.repo, socket, test_images.tools, config=config, address=address) as farm:
            farm.write_conf(failed_buildroot_lifetime=0)
            farm.start(*DAEMON)
            yield Scene(place, farm, f"http://127.0.0.1:{port}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def scene(module_place: Place, distro: Distro, podman_socket: Path, test_images: Images) -> Iterator[Scene]:
    """The scene of most tests; a build has 700 MiB."""
    with made_scene(
        module_place, distro, podman_socket, test_images, build={"memory": "700MiB", "tmp_size": "64MiB"}
    ) as made:
        yield made


@pytest.fixture
def slow(make_source: MakeSource) -> Path:
    """A source whose build prints for 15 seconds."""
    return make_source("slow", spec_text("slow", TICKS.format(count=60)))


def test_a_deleted_pod_is_named_and_replaced(scene: Scene, slow: Path) -> None:
    """As `kubectl delete pod --force` does."""
    task, pod = scene.building(slow)
    scene.place.api.request("DELETE", scene.path(pod), query=[("gracePeriodSeconds", "0")])
    scene.says(task, "attempt 1 has failed", "was removed", "deleted")
    scene.new_pod(task, pod)


def test_an_evicted_pod_is_named_and_replaced(scene: Scene, slow: Path) -> None:
    """By the eviction API, as `kubectl drain` does; servers before 1.26 do not tell that from a deletion."""
    task, pod = scene.building(slow)
    version = "policy/v1" if cluster.server_minor() >= 22 else "policy/v1beta1"
    body = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": pod}}
    scene.place.api.request("POST", f"{scene.path(pod)}/eviction", body=body)
    scene.says(task, "attempt 1 has failed", "evict" if cluster.server_minor() >= 26 else "deleted")
    scene.new_pod(task, pod)


def test_memory_is_the_packager_s(scene: Scene, make_source: MakeSource) -> None:
    """The limit's reaching is the end of the task, at once and with the limit in its words; no second pod."""
    source = make_source("eats", spec_text("eats", f"{TICKS.format(count=8)}; tail /dev/zero"))
    task, pod = scene.building(source)
    began = time.monotonic()
    assert scene.farm.ended(task, PROMPT + 30.0) == "FAILED"
    sys.stdout.write(f"out of memory: {time.monotonic() - began:.1f} s after the fifth tick\n")
    fault = scene.farm.fault(task)
    assert "out of memory" in fault
    assert str(700 << 20) in fault
    assert "attempt 1" not in scene.farm.text(task, "start.log")
    assert set(scene.pods(task)) <= {pod}


def quota(place: Place, pods: int | None) -> None:
    """Let the namespace have so many pods; None: any number."""
    path = f"/api/v1/namespaces/{place.namespace}/resourcequotas"
    if pods is None:
        place.api.request("DELETE", f"{path}/few")
        return
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}
    place.api.request("POST", path, body={**body, "spec": {"hard": {"pods": str(pods)}}})
    deadline = time.monotonic() + 20
    while not place.api.request("GET", f"{path}/few").get("status", {}).get("used"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_full_quota_is_waited_for(scene: Scene, slow: Path) -> None:
    """The log and the page say which; the build begins when there is room, having lost no attempt."""
    quota(scene.place, 0)
    try:
        task = scene.farm.build_arch(slow)
        scene.farm.until(lambda: scene.farm.state(task) == "OPEN", "the task's opening", 60.0)
        scene.says(task, "waits for the quota", "few")
        assert "waits for the quota" in scene.doing(task)
    finally:
        quota(scene.place, None)
    scene.farm.closed(task, 240.0)
    assert "attempt 1" not in scene.farm.text(task, "start.log")


@contextmanager
def cordoned(place: Place) -> Iterator[None]:
    """No node takes new pods."""
    names = [node["metadata"]["name"] for node in place.api.request("GET", "/api/v1/nodes")["items"]]

    def mark(value: bool | None) -> None:
        for name in names:
            body = {"spec": {"unschedulable": value}}
            place.api.request("PATCH", f"/api/v1/nodes/{name}", body=body, content_type=MERGE_PATCH)

    mark(True)
    try:
        yield
    finally:
        mark(None)


def test_a_cordoned_node_is_named(scene: Scene, slow: Path) -> None:
    """A build that runs there goes on; one that begins says what it waits for, and begins once a node is there."""
    running, _ = scene.building(slow)
    with cordoned(scene.place):
        task = scene.farm.build_arch(slow)
        scene.says(task, "no node of the cluster takes the pod", "unschedulable")
        assert "no node" in scene.doing(task)
    for each in (running, task):
        scene.farm.closed(each, 240.0)
    assert len(scene.farm.buildroots(running)) == 1


@contextmanager
def one_scene(
    place: Place, distro: Distro, socket: Path, test_images: Images, **more: Any
) -> Iterator[Callable[[Path], str]]:
    """A scene of settings that no build can start with; gives what starts one and returns why it did not."""
    with made_scene(place, distro, socket, test_images, **more) as scene:

        def refused(source: Path) -> str:
            task = scene.farm.build_arch(source)
            farm = scene.farm
            farm.until(lambda: farm.state(task) == "OPEN" or _refusals(farm, task), "the task's opening", 60.0)
            farm.until(lambda: _refusals(farm, task) or farm.text(task, "start.log"), "a reason", PROMPT)
            return _refusals(farm, task) + farm.text(task, "start.log")

        yield refused


def _refusals(farm: Farm, task: int) -> str:
    found = farm.hub.call("scheduler.getTaskRefusals")
    return "\n".join(str(entry["msg"]) for entry in found if entry["task_id"] == task)


def test_an_absent_image_is_named(
    place: Place, distro: Distro, podman_socket: Path, test_images: Images, slow: Path
) -> None:
    """The task goes back to the hub, with the image and the cluster's word for why it cannot be had."""
    more = {"images": {"tools": ABSENT, "bootstrap": "off"}}
    with one_scene(place, distro, podman_socket, test_images, **more) as refused:
        said = refused(slow)
    assert ABSENT in said
    assert "Image" in said or "cannot be had" in said


def test_a_selector_that_fits_no_node_is_named(
    place: Place, distro: Distro, podman_socket: Path, test_images: Images
) -> None:
    """The host takes no task, and the page says why."""
    more = {"kubernetes": {"node_selector": {"io.koji.adjutant.test/there-is": "none"}}}
    with made_scene(place, distro, podman_socket, test_images, **more) as scene:
        scene.farm.until(lambda: "without the labels" in scene.why(), "the reason", PROMPT)


def test_pods_of_a_task_end_with_it(scene: Scene) -> None:
    """Nothing is left of all that was lost, nor of the root that failed, which this host keeps for no time."""
    query = [("labelSelector", f"{LABEL_MANAGED}=true,{LABEL_ROLE}=task")]
    scene.farm.until(
        lambda: not scene.place.api.request("GET", scene.path(), query=query)["items"], "the end of the pods", 60.0
    )
