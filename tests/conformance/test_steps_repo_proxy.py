"""dnf in a container without a network, through the relay and the daemon's repository proxy."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from koji_adjutant.buildroot.repo_proxy import PROXY_URL, PackageCache, RepoProxy, relay_command
from koji_adjutant.container.interface import (
    LABEL_WORKER,
    ContainerHandle,
    ContainerRunResult,
    ContainerSpec,
    VolumeMount,
)
from koji_adjutant.container.podman_manager import PodmanManager
from koji_adjutant.container.static_tools import static_directory
from koji_adjutant.container.steps import BIN_DIR
from tests.support.repo_server import RepoServer

pytestmark = pytest.mark.podman


@pytest.fixture
def manager(podman_socket: Path) -> Iterator[PodmanManager]:
    """The runtime."""
    found = PodmanManager(str(podman_socket))
    yield found
    found.close()


@pytest.fixture
def proxy_dir() -> Iterator[Path]:
    """What is mounted at /run/adjutant/proxy."""
    path = Path(tempfile.mkdtemp(prefix="adjutant-proxy-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def tools(manager: PodmanManager, tools_image: str, proxy_dir: Path) -> Iterator[ContainerHandle]:
    """A container with dnf and without a network."""
    labels = {LABEL_WORKER: f"proxy-{uuid.uuid4().hex}"}
    handle = manager.create(
        ContainerSpec(
            name=f"adjutant-proxy-{uuid.uuid4().hex[:12]}",
            image=tools_image,
            command=(f"{BIN_DIR}/adjutant-runner", "pause"),
            labels=labels,
            mounts=(
                VolumeMount(BIN_DIR, str(static_directory())),
                VolumeMount("/run/adjutant/proxy", str(proxy_dir), read_only=True),
            ),
        )
    )
    manager.start(handle)
    yield handle
    manager.remove(handle)


def install(manager: PodmanManager, tools: ContainerHandle, url: str, root: str) -> ContainerRunResult:
    """Install one package with everything it needs into a new root."""
    argv = ["dnf", "-y", "-q", f"--installroot={root}", f"--setopt=proxy={PROXY_URL}", "--setopt=reposdir=/none"]
    argv += ["--setopt=cachedir=/var/tmp/cache" + root, "--setopt=retries=2", "--setopt=install_weak_deps=False"]
    argv += ["--setopt=cacheonly=0", "--releasever=1", f"--repofrompath=repo,{url}", "--repo=repo", "--nogpgcheck"]
    return manager.exec(tools, [*argv, "install", "filesystem"], timeout=240)


def test_dnf_installs_through_relay_and_proxy(
    manager: PodmanManager, tools: ContainerHandle, proxy_dir: Path, repo_server: RepoServer, tmp_path: Path
) -> None:
    """Packages arrive; after a restart of the daemon too, and then from the cache; another host is refused."""
    cache = PackageCache(tmp_path / "cache", 1 << 30)
    for _ in range(2):
        assert manager.exec(tools, relay_command()).exit_code == 0
    for root in ("/root1", "/root2"):
        with RepoProxy(proxy_dir / "proxy.sock", [repo_server.url], cache=cache):
            done = install(manager, tools, repo_server.url, root)
            assert done.exit_code == 0, done.stderr.decode(errors="replace")
        names = manager.exec(tools, ["rpm", "--root", root, "-qa", "--qf", "%{NAME}\n"]).stdout.split()
        assert b"filesystem" in names
    fetched = [path for path, _ in repo_server.requests if path.endswith(".rpm")]
    assert fetched
    assert len(fetched) == len(set(fetched)), "each package was fetched once"
    with RepoProxy(proxy_dir / "proxy.sock", ["http://127.0.0.1:9/other"]):
        refused = install(manager, tools, repo_server.url, "/root3")
    assert refused.exit_code != 0
    assert b"Cannot download" in refused.stderr
