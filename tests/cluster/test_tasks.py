"""Whole tasks in pods of a real cluster: the tests of hidden mounts, with a daemon outside of the cluster.

ADJUTANT_TEST_CLUSTER_ADDRESS is the address of this machine that pods reach; default: the one that the outside sees.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Place
from tests.conformance import images
from tests.distro.images import Images
from tests.distro.make import Distro
from tests.e2e import test_copied_mounts as hidden
from tests.support import cluster
from tests.support.farm import Farm
from tests.support.git_server import GitServer, reachable_address

DAEMON = (sys.executable, "-m", "tests.support.idle_machine_daemon")
test_packages_are_built = hidden.test_packages_are_built
test_a_failure_is_the_packager_s = hidden.test_a_failure_is_the_packager_s
test_sources_come_from_git = hidden.test_sources_come_from_git
test_a_build_is_adopted = hidden.test_a_build_is_adopted


@pytest.fixture(scope="module")
def site(
    module_place: Place,
    distro: Distro,
    podman_socket: Path,
    test_images: Images,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[hidden.Site]:
    """A farm whose tasks are pods."""
    address = os.environ.get("ADJUTANT_TEST_CLUSTER_ADDRESS") or reachable_address()
    if address is None:
        pytest.skip("this machine has no address that pods could reach")
    static = cluster.runner_image(images.podman)
    cluster.load(images.podman, static, test_images.tools, test_images.empty)
    credentials = tmp_path_factory.mktemp("credentials")
    (credentials / "key").write_text("secret")
    directory = Path(tempfile.mkdtemp(prefix="adjutant-farm-"))
    section = {
        "config": str(cluster.kubeconfig()),
        "namespace": module_place.namespace,
        "runner_image": static,
        "runner_directory": cluster.RUNNER_DIRECTORY,
        "empty_image": test_images.empty,
        "seccomp_profile": cluster.seccomp_profile(),
    }
    config = {"runtime": "kubernetes", "kubernetes": section}
    try:
        with (
            GitServer(tmp_path_factory.mktemp("git"), address) as git,
            Farm(directory, distro.repo, podman_socket, test_images.tools, config=config, address=address) as farm,
        ):
            farm.write_conf(allowed_scms=f"{address}*:/*:no:sh,fetch.sh", scm_credentials_dir=credentials)
            farm.start(*DAEMON)
            yield hidden.Site(farm, git, DAEMON)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
