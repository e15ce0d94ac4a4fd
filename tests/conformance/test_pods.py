"""What only a cluster can do to a container, and what a pod must not give it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.container.interface import ContainerStatus, ResourceLimits
from koji_adjutant.container.kubernetes_api import KubernetesApi, pods_path
from koji_adjutant.container.kubernetes_labels import PodRef
from koji_adjutant.container.kubernetes_refusal import ApiRefusal
from koji_adjutant.errors import ContainerError, ContainerLost, ImageError
from tests.conformance import images, scripts
from tests.conformance.runtime import Runtime
from tests.support import cluster
from tests.support.steps import KUBERNETES, Recorder, step_rig

pytestmark = pytest.mark.skipif(cluster.kubeconfig() is None, reason="not here: no cluster (KUBECONFIG)")

NOTICED = 30.0
"""Seconds within which each of these has its own named end."""


@pytest.fixture
def pods(cluster_manager: Any, small_disk: Path) -> Iterator[Runtime]:
    """The cluster, for one test."""
    found = Runtime("kubernetes", cluster_manager, small_disk)
    yield found
    found.clean()


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    """The API server, for what only an administrator does."""
    found = KubernetesApi(cluster.kubeconfig(), 30.0)
    yield found
    found.close()


@pytest.fixture
def namespace(api: KubernetesApi) -> Iterator[str]:
    """A namespace of a test's own, with its service account."""
    name = f"adjutant-{uuid.uuid4().hex[:12]}"
    api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
    deadline = time.monotonic() + NOTICED
    while not _there(api, f"/api/v1/namespaces/{name}/serviceaccounts/default"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield name
    api.request("DELETE", f"/api/v1/namespaces/{name}")


def _there(api: KubernetesApi, path: str) -> bool:
    try:
        api.request("GET", path)
    except ApiRefusal:
        return False
    return True


@pytest.mark.parametrize("way", ["deleted", "evicted"])
def test_pod_that_is_taken_away(podman_host: None, api: KubernetesApi, way: str) -> None:
    """A pod that somebody deletes or evicts under a step is a lost container, named, within 30 s."""
    images.load(images.podman)
    with step_rig(Path("none"), images.IMAGE, KUBERNETES) as rig:
        spec, seen = rig.spec("echo started; sleep 1000"), Recorder()
        rig.steps.start(rig.task, spec)
        taken: list[float] = []

        def act() -> None:
            assert seen.some.wait(NOTICED)
            _take_away(api, PodRef.parse(rig.task), way)
            taken.append(time.monotonic())

        thread = threading.Thread(target=act)
        thread.start()
        with pytest.raises(ContainerLost, match=rig.task.name) as caught:
            rig.steps.follow(rig.task, spec.name, seen)
        thread.join()
        assert time.monotonic() - taken[0] < NOTICED
        assert caught.value.reason in {"deleted", "evicted", "exited"}


def _take_away(api: KubernetesApi, ref: PodRef, way: str) -> None:
    path = pods_path(ref.namespace, ref.pod)
    if way == "deleted":
        api.request("DELETE", path, query=[("gracePeriodSeconds", "1")])
        return
    version = "policy/v1" if cluster.server_minor() >= 22 else "policy/v1beta1"
    body = {
        "apiVersion": version,
        "kind": "Eviction",
        "metadata": {"name": ref.pod},
        "deleteOptions": {"gracePeriodSeconds": 1},
    }
    api.request("POST", f"{path}/eviction", body=body)


def test_no_node_is_named(pods: Runtime) -> None:
    """A pod that no node takes says so with the scheduler's words, and can be removed."""
    handle = pods.created(limits=ResourceLimits(memory_bytes=1 << 50))
    begun = time.monotonic()
    with pytest.raises(ContainerError) as caught:
        pods.manager.start(handle)
    assert time.monotonic() - begun < NOTICED
    assert (caught.value.reason, caught.value.retryable) == ("unschedulable", True)
    assert "Insufficient memory" in caught.value.details
    pods.manager.remove(handle)
    assert pods.left() == []


def test_companion_image_that_is_not_there(pods: Runtime) -> None:
    """An image that only the start of the pod needs is named when it cannot be had."""
    companion = pods.spec(image="localhost/nosuch:1")
    handle = pods.created(companions=[companion])
    with pytest.raises(ImageError) as caught:
        pods.manager.start(handle)
    assert "localhost/nosuch:1" in caught.value.brief


def test_full_quota_is_waited_for(api: KubernetesApi, namespace: str, worker_directory: Path) -> None:
    """A full quota ends no task: the pod starts as soon as there is room."""
    quota = {"metadata": {"name": "pods"}, "spec": {"hard": {"count/pods": "1"}}}
    api.request("POST", f"/api/v1/namespaces/{namespace}/resourcequotas", body=quota)
    static = cluster.runner_image(images.podman)
    cluster.load(images.podman, images.IMAGE, static)
    manager = cluster.manager(worker_directory, runner_image=static, namespace=namespace)
    runtime = Runtime("kubernetes", manager, worker_directory)
    try:
        manager.ensure_image_available(images.IMAGE)
        first, second = runtime.created(), runtime.created()
        manager.start(first)
        starting = threading.Thread(target=manager.start, args=(second,))
        starting.start()
        starting.join(3)
        assert starting.is_alive()
        assert manager.state(second).status is ContainerStatus.CREATED
        manager.remove(first)
        starting.join(NOTICED)
        assert manager.state(second).status is ContainerStatus.RUNNING
    finally:
        runtime.clean()
        manager.close()


def test_another_daemon_goes_on(pods: Runtime, worker_directory: Path) -> None:
    """What one daemon made another one finds by the same specs, ready for use, and its files."""
    companion = pods.spec(companion_root="/buildroot")
    spec = pods.spec(companions=[companion])
    first = pods.manager.create(spec)
    pods.manager.start(first)
    pods.joined(companion, first)
    pods.manager.copy_to(first, b"kept", "/work/kept")
    other = cluster.manager(worker_directory, runner_image=cluster.runner_image(images.podman))
    try:
        after = Runtime("kubernetes", other, worker_directory)
        assert other.create(spec) == first
        assert other.state(first).status is ContainerStatus.RUNNING
        again = after.joined(companion, first)
        assert after.output(again, scripts.read_file("/buildroot/work/kept")) == b"kept"
    finally:
        other.close()


def test_pod_gives_a_build_nothing(pods: Runtime) -> None:
    """No token; commands do not hear where the API server is; strings with `$` are as they were."""
    handle = pods.running(env={"ODD": "$(HOME) $$(x) $"})
    assert pods.manager.exec(handle, [scripts.BUSYBOX, "ls", "/var/run/secrets"]).exit_code != 0
    assert b"KUBERNETES_" not in pods.output(handle, scripts.environment())
    read = [scripts.BUSYBOX, "sh", "-c", "cat /proc/[0-9]*/environ 2>/dev/null; true"]
    assert b"ODD=$(HOME) $$(x) $" in pods.output(handle, read).split(b"\0")
