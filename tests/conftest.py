"""Fixtures for everything that needs a real Podman or real packages, and the rule on skips in CI.

A test that needs what is missing is skipped with the reason. With ADJUTANT_CI=1 each skip is a failure, but one whose
reason starts with NOT_HERE: what no machine of ours can have (a cluster, somebody's hub).
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.distro.debian import DistroError
from tests.distro.images import Images, the_images
from tests.distro.make import Distro, the_distro
from tests.distro.sample_packages import the_samples
from tests.support.podman_host import HostError, PodmanService, prepare_host
from tests.support.repo_server import RepoServer

NOT_HERE = "not here: "
"""A skip with this in front is right in CI too."""


@pytest.fixture(scope="session")
def distro() -> Distro:
    """The test distribution, made by the first that asks (40 s, then cached)."""
    try:
        return the_distro()
    except DistroError as error:
        pytest.skip(f"no test distribution: {error}")


@pytest.fixture(scope="session")
def samples() -> Mapping[str, Path]:
    """Source packages of tests/distro/samples by name."""
    try:
        return the_samples()
    except DistroError as error:
        pytest.skip(f"no sample packages: {error}")


@pytest.fixture(scope="session")
def podman_host() -> None:
    """Podman, configured for this machine by CONTAINERS_CONF."""
    try:
        prepare_host()
    except HostError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def podman_service(podman_host: None) -> Iterator[PodmanService]:
    """A Podman service of this session's own; tests that stop it must start it again."""
    with ExitStack() as stack:
        try:
            service = stack.enter_context(PodmanService())
        except HostError as error:
            pytest.skip(str(error))
        yield service


@pytest.fixture(scope="session")
def podman_socket(podman_service: PodmanService) -> Path:
    """The socket of `podman_service`."""
    return podman_service.socket


@pytest.fixture(scope="session")
def test_images(podman_host: None, distro: Distro) -> Images:
    """Images made of the test distribution, in Podman's store."""
    try:
        return the_images(distro)
    except DistroError as error:
        pytest.skip(f"no test images: {error}")


@pytest.fixture(scope="session")
def tools_image(test_images: Images) -> str:
    """Reference of the image with dnf, rpm, createrepo_c and git."""
    return test_images.tools


@pytest.fixture(scope="session")
def empty_image(test_images: Images) -> str:
    """Reference of the image whose root holds nothing but mount points."""
    return test_images.empty


@pytest.fixture(scope="session")
def repo_server(distro: Distro) -> Iterator[RepoServer]:
    """The test distribution's repository over HTTP."""
    with RepoServer(distro.repo) as server:
        yield server


def _no_skip_in_ci(report: Any) -> None:
    """Make a skip that this machine could avoid a failure of the same place."""
    if os.environ.get("ADJUTANT_CI") != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return
    where, line, reason = report.longrepr
    said = reason.removeprefix("Skipped: ")
    if not said.startswith(NOT_HERE):
        report.outcome = "failed"
        report.longrepr = f"{where}:{line}: skipped, which CI takes for a failure: {said}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """See to skips of tests."""
    report = yield
    _no_skip_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """See to skips of whole modules."""
    report = yield
    _no_skip_in_ci(report)
    return report
