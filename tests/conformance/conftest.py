"""The runtimes of the suite. Each test runs on all of them; `gaps` names what a runtime is known not to keep.

The faults of a `faulty-` runtime come from a seed of the test's own, made of ADJUTANT_FAULT_SEED and the test's name: the same
faults in each run, whatever ran before it. `make soak` tries many seeds.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.container.faulty import FaultyManager
from koji_adjutant.container.interface import ContainerHandle
from koji_adjutant.container.memory_manager import MemoryManager
from koji_adjutant.container.podman_manager import PodmanManager
from tests.conformance import images
from tests.conformance.gaps import CLUSTER_CAPABILITIES, GAPS, KUBERNETES
from tests.conformance.patient import Patient
from tests.conformance.registry import Registry
from tests.conformance.rootless import RootlessPodman
from tests.conformance.runtime import Runtime
from tests.conformance.scripts import busybox
from tests.support import cluster
from tests.support.fault_seed import fault_seed
from tests.support.podman_host import HostError, PodmanService

RUNTIMES = tuple(GAPS)
RATE = 0.15
FAULTY = "faulty-"
SMALL_DISK = 256 * 1024


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the known gaps to fail: exactly those."""
    for item in items:
        call = getattr(item, "callspec", None)
        name = call.params.get("runtime_name") if call is not None else None
        reason = GAPS.get(name, {}).get(getattr(item, "originalname", "")) if name else None
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    """A registry that refuses pulls."""
    with Registry() as found:
        yield found


@pytest.fixture(scope="session")
def small_disk(worker_directory: Path) -> Iterator[Path]:
    """A directory on a file system of 256 KiB."""
    if os.geteuid() != 0:
        pytest.skip("not here: only root can mount a small file system")
    path = worker_directory / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=777", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture(scope="session")
def worker_directory() -> Iterator[Path]:
    """A directory of this worker that other users can reach."""
    with tempfile.TemporaryDirectory(prefix="adjutant-conformance-", dir="/var/tmp") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture(scope="session")
def services(podman_host: None, registry: Registry, worker_directory: Path) -> Iterator[Callable[[str], str]]:
    """Gives the socket of `podman` or `rootless`; each is started when first asked for, and a failed start is never a pass."""
    conf = registry.configure(worker_directory / "registries.conf")
    found: dict[str, str] = {}
    with ExitStack() as stack:

        def socket(name: str) -> str:
            if name == "rootless" and os.geteuid() != 0:
                pytest.skip("not here: a rootless service beside the test's own user needs root to make that user")
            if name not in found:
                try:
                    found[name] = stack.enter_context(_service(name, conf))
                except HostError as error:
                    pytest.skip(str(error))
            return found[name]

        yield socket


@pytest.fixture(scope="session", params=RUNTIMES)
def runtime_name(request: pytest.FixtureRequest) -> str:
    """Name of the runtime."""
    return str(request.param)


@pytest.fixture(scope="session")
def bare_manager(runtime_name: str, request: pytest.FixtureRequest, small_disk: Path) -> Iterator[Any]:
    """The manager of the runtime without what its name says of faults."""
    kind = runtime_name.removeprefix(FAULTY)
    inner: Any
    if kind == "memory":
        inner = _memory(request.getfixturevalue("registry"), small_disk)
    elif kind == KUBERNETES:
        inner = request.getfixturevalue("cluster_manager")
    else:
        inner = PodmanManager(request.getfixturevalue("services")(kind))
    yield inner
    if kind != KUBERNETES:
        inner.close()


@pytest.fixture
def manager(runtime_name: str, bare_manager: Any, request: pytest.FixtureRequest) -> Any:
    """The manager of the runtime, wrapped as its name says."""
    if not runtime_name.startswith(FAULTY):
        return bare_manager
    return Patient(FaultyManager(bare_manager, fault_seed(request.node), RATE))


@pytest.fixture(scope="session")
def cluster_manager(podman_host: None, worker_directory: Path) -> Iterator[Any]:
    """The manager of the cluster that KUBECONFIG names, with the suite's images on its nodes."""
    images.load(images.podman)
    static = cluster.runner_image(images.podman)
    cluster.load(images.podman, images.IMAGE, static)
    found = cluster.manager(worker_directory, runner_image=static)
    yield found
    found.close()


@pytest.fixture(scope="session")
def node_registry() -> Iterator[Registry]:
    """A registry that refuses pulls, where the cluster's node finds it at 127.0.0.1."""
    if "ADJUTANT_TEST_NODE_NETNS" not in os.environ:
        pytest.skip("not here: the node of this cluster is not on this machine (ADJUTANT_TEST_NODE_NETNS)")
    with Registry(cluster.in_node_network) as found:
        yield found


@pytest.fixture
def pulls(runtime_name: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Images whose pull fails, by how it does."""
    name = "node_registry" if runtime_name.endswith(KUBERNETES) else "registry"
    registry: Registry = request.getfixturevalue(name)
    return {kind: registry.reference(kind) for kind in ("denied", "missing", "broken")}


@pytest.fixture
def runtime(runtime_name: str, manager: Any, small_disk: Path) -> Iterator[Runtime]:
    """The runtime, for one test; its containers are removed afterwards."""
    found = Runtime(runtime_name, manager, small_disk)
    if runtime_name.endswith(KUBERNETES):
        found.capabilities = CLUSTER_CAPABILITIES
    yield found
    found.clean()
    for path in small_disk.iterdir():
        path.unlink()


@pytest.fixture(scope="session")
def shared_box(runtime_name: str, bare_manager: Any, small_disk: Path) -> Iterator[ContainerHandle]:
    """A container that tests share which only execute commands."""
    found = Runtime(runtime_name, bare_manager, small_disk)
    yield found.running()
    found.clean()


@pytest.fixture
def box(
    runtime_name: str, manager: Any, small_disk: Path, shared_box: ContainerHandle
) -> tuple[Runtime, ContainerHandle]:
    """The shared container as this test's manager sees it: `(runtime, handle)`."""
    return Runtime(runtime_name, manager, small_disk), shared_box


def _memory(registry: Registry, small_disk: Path) -> MemoryManager:
    manager = MemoryManager()
    manager.program("busybox", busybox)
    manager.add_image(images.IMAGE, {"/bin/busybox": b"\x7fELF", **{f"/{name}/.keep": b"" for name in ("work", "tmp")}})
    manager.add_image(images.FOREIGN, arch="s390x")
    manager.images.deny(registry.reference("denied"))
    manager.images.breaks(registry.reference("broken"))
    manager.add_volume(str(small_disk), SMALL_DISK)
    return manager


class _service:
    """A Podman service with the suite's images; its socket."""

    def __init__(self, name: str, registries_conf: Path) -> None:
        self._stack = ExitStack()
        self._rootless = name == "rootless"
        self._conf = registries_conf

    def __enter__(self) -> str:
        with ExitStack() as unfinished, pytest.MonkeyPatch.context() as patch:
            unfinished.push(self._stack)
            patch.setenv("CONTAINERS_REGISTRIES_CONF", str(self._conf))
            for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
                patch.delenv(variable, raising=False)
            socket = self._start()
            unfinished.pop_all()
            return socket

    def _start(self) -> str:
        if self._rootless:
            names = ("CONTAINERS_CONF", "CONTAINERS_REGISTRIES_CONF")
            service = RootlessPodman({name: os.environ[name] for name in names})
            self._stack.enter_context(service)
            images.load(service.podman)
            return str(service.socket)
        images.load(images.podman)
        return str(self._stack.enter_context(PodmanService()).socket)

    def __exit__(self, *exc: object) -> None:
        self._stack.close()
