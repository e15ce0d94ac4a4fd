"""Checks of a cluster that need pods, on a real one."""

from __future__ import annotations

import subprocess

import pytest

from koji_adjutant.cli.checks.check import Severity
from koji_adjutant.cli.checks.cluster import check_policies
from koji_adjutant.cli.checks.runtime import check_runtime
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.factory import create_container_manager
from koji_adjutant.container.kubernetes_connection import load_configuration
from tests.conformance import images
from tests.support import cluster


@pytest.fixture
def config(place, podman_host, tmp_path):
    """The configuration of a daemon whose tasks run in the namespace."""
    try:
        static = cluster.runner_image(images.podman)
        cluster.load(images.podman, static)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the image cannot be brought to the nodes: {error.stderr!r}")
    section = {
        "config": str(cluster.kubeconfig()),
        "namespace": place.namespace,
        "runner_image": static,
        "runner_directory": cluster.RUNNER_DIRECTORY,
        "empty_image": static,
    }
    return AdjutantConfig.model_validate({"runtime": "kubernetes", "state_dir": str(tmp_path), "kubernetes": section})


def api_server():
    return str(load_configuration(cluster.kubeconfig()).host)


def test_pods_that_a_policy_should_keep_offline_are_tried(config):
    """Where no policy is there or none is enforced, the API server is reached, and that is said."""
    found = check_policies(lambda: create_container_manager(config), config, api_server())
    assert [finding.severity for finding in found] == [Severity.NOTE]
    assert "reaches the API server" in found[0].text


def test_the_runtime_is_usable(config):
    """What a cluster lacks is noted; nothing of it is a problem unless it was required."""
    found = check_runtime(lambda: create_container_manager(config), config)
    assert [finding.text for finding in found if finding.severity is Severity.PROBLEM] == []
    assert any("lacks `commit`" in finding.text for finding in found)
