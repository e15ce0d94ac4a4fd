"""Each mode of storage on a real cluster: what a task's pod reads of topdir, and that it can only read it.

The node's file system must be this machine's (the tests make topdir here). NFS is left to the golden tests: a node mounts
it only with a kernel that can.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.container.interface import LABEL_WORKER, ContainerHandle, ContainerSpec, VolumeMount
from koji_adjutant.container.kubernetes_api import MERGE_PATCH
from koji_adjutant.container.kubernetes_manager import KubernetesManager
from koji_adjutant.container.kubernetes_plan import PodSite
from koji_adjutant.container.static_tools import static_directory
from koji_adjutant.errors import ContainerError
from tests.cluster.conftest import Place
from tests.conformance import images
from tests.conformance.scripts import IDLE
from tests.support import cluster

NODES = "/api/v1/nodes"
VOLUMES = "/api/v1/persistentvolumes"
STORAGE_LABEL = "koji.storage"
READ = ("/bin/busybox", "cat", "/mnt/koji/repos/42/repomd.xml")
WRITE = ("/bin/busybox", "touch", "/mnt/koji/repos/42/new")


@dataclass
class Shelf:
    """A topdir of the node with one repository, and what a test makes of it."""

    place: Place
    topdir: Path
    runner_image: str
    managers: list[KubernetesManager] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    def manager(self, storage: dict[str, Any], **settings: Any) -> KubernetesManager:
        """A manager of this namespace whose pods read topdir by `storage`."""
        section = KubernetesSection(
            config=cluster.kubeconfig(),
            namespace=self.place.namespace,
            runner_image=self.runner_image,
            runner_directory=Path(cluster.RUNNER_DIRECTORY),
            start_timeout=cluster.START_SECONDS,
            storage=storage,
            **settings,
        )
        state = self.topdir.parent.parent / "state"
        (state / "tasks").mkdir(parents=True, exist_ok=True)
        static = str(static_directory())
        made = KubernetesManager(PodSite(section, str(state), static, self.runner_image, topdirs=(str(self.topdir),)))
        self.managers.append(made)
        return made

    def volume(self, name: str, source: dict[str, Any], *, mode: str, storage_class: str = "") -> str:
        """A PersistentVolume of this test; the name it got."""
        full = f"{self.place.namespace}-{name}"
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": [mode],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": storage_class,
            **source,
        }
        body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": full}, "spec": spec}
        self.place.api.request("POST", VOLUMES, body=body)
        self.volumes.append(full)
        return full

    def claim(self, name: str, volume: str, mode: str) -> None:
        """A claim on a volume."""
        spec = {
            "accessModes": [mode],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "",
            "volumeName": volume,
        }
        self.place.make({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec})


@pytest.fixture
def shelf(place: Place) -> Iterator[Shelf]:
    static = cluster.runner_image(images.podman)
    images.load(images.podman)
    cluster.load(images.podman, static, images.IMAGE)
    base = Path(tempfile.mkdtemp(prefix="adjutant-storage-"))
    base.chmod(0o755)
    topdir = base / "disk" / "top"
    (topdir / "repos" / "42").mkdir(parents=True)
    (topdir / "repos" / "42" / "repomd.xml").write_text("repository 42")
    shelf = Shelf(place, topdir, static)
    try:
        yield shelf
    finally:
        for manager in shelf.managers:
            for info in manager.list_managed({LABEL_WORKER: place.namespace}):
                manager.remove(info.handle)
            manager.close()
        for volume in shelf.volumes:
            place.api.request("DELETE", f"{VOLUMES}/{volume}")
        shutil.rmtree(base)


@pytest.fixture
def labelled(place: Place) -> Iterator[str]:
    """The name of a node that has topdir, while the test runs."""
    name = str(place.api.request("GET", NODES)["items"][0]["metadata"]["name"])
    _label(place, name, "available")
    yield name
    _label(place, name, None)


def test_host_path(shelf: Shelf, labelled: str) -> None:
    """A pod reads topdir of the node that is labelled, and cannot write there."""
    manager = shelf.manager({"mode": "hostPath"})
    handle = _running(manager, shelf)
    assert _reads(manager, handle) == b"repository 42"
    assert _refuses(manager, handle)
    pods = shelf.place.api.request("GET", f"/api/v1/namespaces/{shelf.place.namespace}/pods")["items"]
    assert [pod["spec"]["nodeName"] for pod in pods] == [labelled]


def test_host_path_without_a_node(shelf: Shelf) -> None:
    """Where no node is labelled, the start ends and says that none fits."""
    manager = shelf.manager({"mode": "hostPath"})
    with pytest.raises(ContainerError) as caught:
        _running(manager, shelf)
    assert caught.value.reason == "unschedulable"


def test_claim_by_sub_path(shelf: Shelf) -> None:
    """Topdir is a directory of a volume that many nodes may read."""
    source = {"hostPath": {"path": str(shelf.topdir.parent)}}
    shelf.claim("koji", shelf.volume("claim", source, mode="ReadOnlyMany"), "ReadOnlyMany")
    manager = shelf.manager({"mode": "claim", "claim": "koji", "sub_path": "top"})
    handle = _running(manager, shelf)
    assert _reads(manager, handle) == b"repository 42"
    assert _refuses(manager, handle)
    # The rest of the volume is not there.
    assert manager.exec(handle, ["/bin/busybox", "ls", "/mnt/koji"]).stdout == b"repos\n"


def test_local_volume(shelf: Shelf) -> None:
    """A local volume's node affinity places the pod, and topdir is read from it."""
    node = shelf.place.api.request("GET", NODES)["items"][0]["metadata"]["labels"]["kubernetes.io/hostname"]
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    source = {
        "local": {"path": str(shelf.topdir)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
    }
    shelf.claim("koji", shelf.volume("local", source, mode="ReadWriteOnce"), "ReadWriteOnce")
    manager = shelf.manager({"mode": "local", "claim": "koji"})
    handle = _running(manager, shelf)
    assert _reads(manager, handle) == b"repository 42"
    assert _refuses(manager, handle)


def test_volume_of_a_task(shelf: Shelf) -> None:
    """With a storage class each task writes to a volume of its own, whose claim goes with the pod."""
    disk = shelf.topdir.parent.parent / "own"
    disk.mkdir()
    shelf.volume("own", {"hostPath": {"path": str(disk)}}, mode="ReadWriteOnce", storage_class=shelf.place.namespace)
    manager = shelf.manager({"mode": "dynamic", "size": "1GiB"}, storage_class=shelf.place.namespace)
    builddir = shelf.topdir.parent.parent / "state" / "tasks" / "builddir"
    builddir.mkdir(parents=True)
    handle = _running(manager, shelf, VolumeMount("/builddir", str(builddir), read_only=False))
    assert manager.exec(handle, ["/bin/busybox", "touch", "/builddir/made"]).exit_code == 0
    assert [path.name for path in disk.rglob("made")] == ["made"]
    claims = f"/api/v1/namespaces/{shelf.place.namespace}/persistentvolumeclaims"
    assert len(shelf.place.api.request("GET", claims)["items"]) == 1
    manager.remove(handle)
    left = shelf.place.api.request("GET", claims)["items"]
    assert [claim for claim in left if not claim["metadata"].get("deletionTimestamp")] == []


def _running(manager: KubernetesManager, shelf: Shelf, mount: VolumeMount | None = None) -> ContainerHandle:
    mounts = [mount or VolumeMount("/mnt/koji", str(shelf.topdir), read_only=True)]
    labels = {LABEL_WORKER: shelf.place.namespace}
    name = f"adjutant-{uuid.uuid4().hex[:12]}"
    handle = manager.create(ContainerSpec(name=name, image=images.IMAGE, command=IDLE, labels=labels, mounts=mounts))
    manager.start(handle)
    return handle


def _reads(manager: KubernetesManager, handle: ContainerHandle) -> bytes:
    return manager.exec(handle, READ).stdout


def _refuses(manager: KubernetesManager, handle: ContainerHandle) -> bool:
    result = manager.exec(handle, WRITE)
    return result.exit_code != 0 and b"Read-only file system" in result.stderr


def _label(place: Place, node: str, value: str | None) -> None:
    body = {"metadata": {"labels": {STORAGE_LABEL: value}}}
    place.api.request("PATCH", f"{NODES}/{node}", body=body, content_type=MERGE_PATCH)
