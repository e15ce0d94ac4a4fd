"""Images of a cluster: looked for by a pod, then remembered."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from koji_adjutant.container.interface import LABEL_ROLE, ContainerHandle, ContainerRunResult, PullPolicy
from koji_adjutant.container.kubernetes_images import REMEMBERED, PodImages, Probe
from koji_adjutant.errors import ImageError

DIGEST = "sha256:" + "b2" * 32


class Cluster:
    """What a probe meets."""

    def __init__(self):
        self.now = 0.0
        self.started = []
        self.removed = []
        self.refuse = None
        self.image_id = f"example.com/root@{DIGEST}"

    def images(self):
        """Images looked for in it."""
        probe = Probe(self.start, self.pod, lambda *_: ContainerRunResult(0, b"x86_64\n"), self.removed.append)
        return PodImages(probe, {"worker": "w"}, lambda: self.now)

    def start(self, spec, policy):
        """Start a probe."""
        self.started.append((spec.image, policy, dict(spec.labels)))
        if self.refuse:
            raise self.refuse
        return ContainerHandle(f"n/{spec.name}/task", spec.name, "kubernetes")

    def pod(self, _handle):
        """The probe as the cluster has it."""
        return {"status": {"containerStatuses": [{"name": "task", "imageID": self.image_id}]}}


@pytest.fixture
def cluster():
    """The cluster."""
    return Cluster()


def test_image_that_is_there(cluster):
    """A pod of the image tells digest and architecture, and is gone afterwards."""
    info = cluster.images().ensure("example.com/root:1", PullPolicy.MISSING)
    assert (info.digest, info.arch, info.reference) == (DIGEST, "amd64", "example.com/root:1")
    assert cluster.started == [("example.com/root:1", "IfNotPresent", {"worker": "w", LABEL_ROLE: "probe"})]
    assert len(cluster.removed) == 1


def test_remembered_for_a_while(cluster):
    """The next task asks nothing; after a while a name may mean another image, a digest never."""
    images = cluster.images()
    for policy in (PullPolicy.MISSING, PullPolicy.NEVER, PullPolicy.MISSING):
        images.ensure("a:1", policy)
        images.ensure(f"a@{DIGEST}", policy)
    assert len(cluster.started) == 2
    cluster.now = REMEMBERED + 1
    images.require("a:1")
    images.require(f"a@{DIGEST}")
    assert [image for image, _, _ in cluster.started] == ["a:1", f"a@{DIGEST}", "a:1"]


def test_always_asks(cluster):
    """With policy `always` the registry is asked each time."""
    images = cluster.images()
    images.ensure("a:1", PullPolicy.MISSING)
    images.ensure("a:1", PullPolicy.ALWAYS)
    assert [policy for _, policy, _ in cluster.started] == ["IfNotPresent", "Always"]


def test_failure_is_not_remembered(cluster):
    """An image that could not be had is looked for again."""
    images = cluster.images()
    cluster.refuse = ImageError("no", reason="missing")
    with pytest.raises(ImageError):
        images.require("a:1")
    cluster.refuse = None
    images.require("a:1")
    assert [policy for _, policy, _ in cluster.started] == ["Never", "Never"]


def test_no_digest_is_an_error(cluster):
    """A pod that does not say which image it ran in proves nothing; it is removed all the same."""
    cluster.image_id = ""
    with pytest.raises(ImageError):
        cluster.images().ensure("a:1", PullPolicy.MISSING)
    assert len(cluster.removed) == 1


def test_many_tasks_ask_once(cluster):
    """Tasks that want one image at once make one pod."""
    images = cluster.images()
    go = threading.Barrier(4)

    def ask(_):
        go.wait(10)
        return images.ensure("a:1", PullPolicy.MISSING)

    with ThreadPoolExecutor(4) as pool:
        assert len({info.digest for info in pool.map(ask, range(4))}) == 1
    assert len(cluster.started) == 1
