"""Pods of a host name whose holders come one after another, on a real cluster."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.container.interface import LABEL_WORKER, ContainerSpec, ContainerStatus
from koji_adjutant.container.kubernetes_owner import OwnedKubernetesManager
from koji_adjutant.container.kubernetes_plan import PodSite
from koji_adjutant.container.static_tools import static_directory
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import ContainerLost
from tests.conformance import images
from tests.support import cluster

WORKER = "builder.ab12cd34"
SECONDS = 30.0


@pytest.fixture
def holder(place, podman_host, tmp_path):
    """Makes holders of one host name by their epochs."""
    image = cluster.runner_image(images.podman)
    cluster.load(images.podman, image)
    managers = []

    def make(epoch):
        settings = KubernetesSection(
            config=cluster.kubeconfig(),
            namespace=place.namespace,
            runner_image=image,
            runner_directory=Path(cluster.RUNNER_DIRECTORY),
        )
        site = PodSite(settings, str(tmp_path), str(static_directory()), image, place.namespace)
        found = OwnedKubernetesManager(site, worker=WORKER, epoch=epoch)
        managers.append((found, image))
        return found, image

    yield make
    for found, _ in managers:
        found.close()


def test_an_earlier_holder_touches_nothing_any_more(holder):
    """From the moment the later one has taken the pods over; that one works with them."""
    first, image = holder(1)
    spec = ContainerSpec(
        "adjutant-owned", image, command=(f"{BIN_DIR}/adjutant-runner", "pause"), labels={LABEL_WORKER: WORKER}
    )
    handle = first.create(spec)
    first.start(handle)
    busybox = f"{BIN_DIR}/busybox"
    assert first.exec(handle, [busybox, "true"]).exit_code == 0
    second, _ = holder(2)
    assert second.take_over() == 1
    assert second.take_over() == 0
    deadline = time.monotonic() + SECONDS
    refused = None
    while refused is None and time.monotonic() < deadline:
        try:
            first.exec(handle, [busybox, "true"])
        except ContainerLost as error:
            refused = error
    assert refused is not None
    assert refused.reason == "owner"
    with pytest.raises(ContainerLost):
        first.remove(handle)
    assert second.create(spec) == handle
    assert second.exec(handle, [busybox, "true"]).exit_code == 0
    second.remove(handle)
    with contextlib.suppress(ContainerLost):
        assert first.state(handle).status is ContainerStatus.MISSING
