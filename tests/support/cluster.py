"""The cluster that KUBECONFIG names, for tests: images put into it, and a manager for it.

What only who made the cluster knows comes by environment: ADJUTANT_TEST_LOAD_IMAGE is a command that copies images from
Podman's store to the nodes (default: they are there), ADJUTANT_TEST_NODE_NETNS the network namespace of its one node,
ADJUTANT_TEST_SECCOMP_DIR the kubelet's directory of seccomp profiles; ADJUTANT_TEST_CLUSTER_USERNS=1 says that the nodes
can give pods user namespaces.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import os
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from koji_adjutant.config.kubernetes import KubernetesSection
from koji_adjutant.container.factory import SECCOMP_PROFILE
from koji_adjutant.container.kubernetes_api import KubernetesApi
from koji_adjutant.container.kubernetes_connection import own_namespace
from koji_adjutant.container.kubernetes_manager import KubernetesManager
from koji_adjutant.container.kubernetes_plan import PodSite
from koji_adjutant.container.static_tools import static_directory
from tests.distro.cache import cache_dir, locked
from tests.support.podman_host import HostError

RUNNER_DIRECTORY = "/usr/lib/koji-adjutant/static"
START_SECONDS = 120
_CLONE_NEWNET = 0x40000000
Made = TypeVar("Made")


def kubeconfig() -> Path | None:
    """The cluster's kubeconfig; None: there is no cluster."""
    found = os.environ.get("KUBECONFIG")
    return Path(found) if found else None


@cache
def server_minor() -> int:
    """Minor version of the server (20 of 1.20)."""
    api = KubernetesApi(kubeconfig(), 30.0)
    try:
        return int(str(api.request("GET", "/version")["gitVersion"]).split(".")[1])
    finally:
        api.close()


def has_user_namespaces() -> bool:
    """Whether pods get user namespaces."""
    return os.environ.get("ADJUTANT_TEST_CLUSTER_USERNS") == "1"


def manager(state_dir: Path, *, runner_image: str, namespace: str | None = None) -> KubernetesManager:
    """A manager whose daemon keeps its state in `state_dir`; `namespace`: of its pods, if not the kubeconfig's."""
    settings = KubernetesSection(
        config=kubeconfig(),
        namespace=namespace,
        runner_image=runner_image,
        runner_directory=Path(RUNNER_DIRECTORY),
        seccomp_profile=seccomp_profile(),
        start_timeout=START_SECONDS,
    )
    own = own_namespace(kubeconfig())
    site = PodSite(settings, str(state_dir), str(static_directory()), runner_image, own)
    return KubernetesManager(site)


def seccomp_profile() -> str | None:
    """Name of our profile on the nodes, put there by us; None where nothing can be put there."""
    directory = os.environ.get("ADJUTANT_TEST_SECCOMP_DIR")
    if not directory:
        return None
    Path(directory).mkdir(parents=True, exist_ok=True)
    shutil.copy(SECCOMP_PROFILE, Path(directory) / "koji-adjutant.json")
    return "koji-adjutant.json"


def load(podman: Callable[..., bytes], *images: str) -> None:
    """Copy images of Podman's store to the nodes, unless they were copied before."""
    command = os.environ.get("ADJUTANT_TEST_LOAD_IMAGE")
    if command is None:
        return
    with locked(cache_dir() / "cluster-images.lock"):
        known = cache_dir() / f"cluster-images-{_cluster_id()}"
        loaded = known.read_text().splitlines() if known.exists() else []
        for image in images:
            line = f"{image} {podman('inspect', '--format', '{{.Id}}', image).decode().strip()}"
            if line not in loaded:
                subprocess.run([*shlex.split(command), image], check=True, capture_output=True)
                loaded.append(line)
        known.write_text("\n".join([*loaded, ""]))


def runner_image(podman: Callable[..., bytes]) -> str:
    """An image of the static programs, in Podman's store; its name says what it holds."""
    programs = sorted(static_directory().iterdir())
    digest = hashlib.sha256(b"".join(program.read_bytes() for program in programs)).hexdigest()[:12]
    name = f"localhost/koji-adjutant-static:{digest}"
    with locked(cache_dir() / "static-image.lock"):
        try:
            # Not a list of all: that fails while somebody removes one.
            podman("image", "exists", name)
        except HostError:
            podman("import", "--quiet", "-", name, stdin=_archive(programs))
    return name


def in_node_network(make: Callable[[], Made]) -> Made:
    """Result of `make` with this thread in the node's network namespace: sockets it opens stay there."""
    namespace = os.environ["ADJUTANT_TEST_NODE_NETNS"]
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as ours, open(namespace) as theirs:
        _enter(libc, theirs.fileno())
        try:
            return make()
        finally:
            _enter(libc, ours.fileno())


def _enter(libc: ctypes.CDLL, descriptor: int) -> None:
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _cluster_id() -> str:
    """Changes when the cluster is made anew, and with it, maybe, the images of its nodes."""
    path = kubeconfig()
    return hashlib.sha256(path.read_bytes() if path else b"").hexdigest()[:12]


def _archive(programs: list[Path]) -> bytes:
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w") as tar:
        for program in programs:
            info = tarfile.TarInfo(f"{RUNNER_DIRECTORY.strip('/')}/{program.name}")
            info.mode, info.size = 0o755, program.stat().st_size
            with program.open("rb") as stream:
                tar.addfile(info, stream)
    return result.getvalue()
