"""Pods that are created and not started, and what is copied into them meanwhile."""

from __future__ import annotations

import pytest

from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.container.interface import LABEL_TASK, ContainerSpec, ContainerStatus
from koji_adjutant.container.kubernetes_labels import PodRef
from koji_adjutant.container.kubernetes_pending import PendingPod, PendingPods, hold_copy
from koji_adjutant.container.kubernetes_plan import PodSite, plan_pod
from koji_adjutant.container.kubernetes_pod import pod_manifest
from koji_adjutant.container.pod_put import put_stream
from koji_adjutant.errors import ContainerError, CopyError

SITE = PodSite(KubernetesSection(), "/var/lib/state", "/var/cache/static", "runner:1")


def pending(**labels):
    """A pod to be made."""
    spec = ContainerSpec("builder", "root:1", labels={LABEL_TASK: "7", **labels})
    plan = plan_pod(spec, SITE)
    return PendingPod(spec, plan, pod_manifest(plan, SITE))


@pytest.fixture
def pods():
    """The pods of a daemon."""
    found = PendingPods()
    yield found
    found.close()


def ref(pod):
    """Its first container."""
    return PodRef(pod.plan.namespace, pod.plan.name, "task")


def test_added_twice_is_one(pods):
    """The same again is the first; with other labels it is a conflict, naming it."""
    first = pods.add(pending())
    assert pods.add(pending()) is first
    assert pods.all() == [first]
    with pytest.raises(ContainerError, match="builder") as caught:
        pods.add(pending(other="label"))
    assert caught.value.reason == "conflict"


def test_listed_as_created(pods):
    """It is listed with its labels as a container that was created."""
    (info,) = pods.add(pending()).infos()
    assert (info.status, info.handle.name, info.labels[LABEL_TASK]) == (ContainerStatus.CREATED, "builder", "7")


def test_copies_wait_whole(pods, tmp_path):
    """What is copied is kept as it was then, and can be sent more than once."""
    pod = pods.add(pending())
    source = tmp_path / "source"
    source.write_bytes(b"before" * 400_000)
    frames = b"".join(put_stream(source, "target", 0o600))
    handle = ref(pod).handle("builder")
    hold_copy(pod, handle, source, "/work/target", 0o600)
    source.write_bytes(b"after")
    (copy,) = pod.copies
    assert (copy.directory, copy.target) == ("/work", "/work/target")
    assert [b"".join(copy.read()) for _ in range(2)] == [frames, frames]


@pytest.mark.parametrize(("source", "target"), [("nosuch", "/work/a"), ("there", "work/a"), ("there", "/work/../a")])
def test_copies_that_cannot_be(pods, tmp_path, source, target):
    """A source that is not there, or a path that none can be, is said at once."""
    (tmp_path / "there").write_text("x")
    pod = pods.add(pending())
    with pytest.raises(CopyError) as caught:
        hold_copy(pod, ref(pod).handle("builder"), tmp_path / source, target, 0o644)
    assert caught.value.reason == "missing"
    assert pod.copies == []


def test_dropped_is_known_to_its_maker(pods):
    """Who makes a pod sees that nobody wants it any more; its copies are given back."""
    pod = pods.add(pending())
    hold_copy(pod, ref(pod).handle("builder"), b"x", "/work/a", 0o644)
    pods.drop(ref(pod))
    pods.drop(ref(pod))
    assert pod.dropped
    assert pod.copies[0].frames.closed
    assert pods.find(ref(pod)) is None
