"""Whole tasks where the daemon sees no file of a container, as with a cluster: real Podman, mounts hidden from the daemon."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import NOT_HERE
from tests.distro.make import Distro
from tests.support.farm import TAG, Farm
from tests.support.farm_fixtures import MakeSource, spec_text
from tests.support.git_server import GitServer, reachable_address

DAEMON = (sys.executable, "-m", "tests.support.copied_mounts_daemon")


@dataclass
class Site:
    """A farm whose daemon sees no mounts, and a git server."""

    farm: Farm
    git: GitServer
    daemon: Sequence[str] = DAEMON


@pytest.fixture(scope="module")
def site(
    distro: Distro, podman_socket: Path, tools_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The daemon runs; without a proxy its containers need an address of this machine."""
    address = reachable_address()
    if address is None:
        pytest.skip(f"{NOT_HERE}a machine without an address besides its loopback")
    credentials = tmp_path_factory.mktemp("credentials")
    (credentials / "key").write_text("secret")
    directory = Path(tempfile.mkdtemp(prefix="adjutant-farm-"))
    try:
        with (
            GitServer(tmp_path_factory.mktemp("git"), address) as git,
            Farm(directory, distro.repo, podman_socket, tools_image, address=address) as farm,
        ):
            farm.write_conf(allowed_scms=f"{address}*:/*:no:sh,fetch.sh", scm_credentials_dir=credentials)
            farm.start(*DAEMON)
            yield Site(farm, git)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_packages_are_built(site: Site, samples: Mapping[str, Path]) -> None:
    """Sources go in and results come out by copies; the logs are whole."""
    farm = site.farm
    tasks = [farm.build_arch(samples[name]) for name in ("hello-c", "dynamic-br")]
    for task in tasks:
        farm.closed(task, 240.0)
        result = farm.result(task)
        assert result["rpms"]
        assert all(farm.output(task, Path(path).name) for path in (*result["rpms"], *result["logs"]))
        assert farm.hub.call("listRPMs", componentBuildrootID=result["brootid"])
    assert "hello-c-1.0-1.adj1.x86_64.rpm" in farm.text(tasks[0], "build.log")


def test_a_failure_is_the_packager_s(site: Site, samples: Mapping[str, Path]) -> None:
    """In kojid's words."""
    task = site.farm.build_arch(samples["fails-build"])
    assert site.farm.ended(task, 240.0) == "FAILED"
    assert "mock exited with status 1" in site.farm.fault(task)


def test_sources_come_from_git(site: Site) -> None:
    """The checkout is brought here and into the root; the source command has credentials, and the spec does not."""
    spec = spec_text("gitted", ":").replace("License: MIT", "License: MIT\nSource0: fetched\nSource1: deep/data")
    spec = spec.replace("Made by a test", "Parsed %(test -e /credentials && echo with || echo without) credentials")
    fetch = b"test -r /credentials/key && cp data.link fetched && cp deep/data data\n"
    files = {"gitted.spec": spec.encode(), "fetch.sh": fetch, "deep/data": b"data\n", "data.link": b"linked\n"}
    commit = site.git.repository("gitted", files)
    farm = site.farm
    url = f"git+http://{site.git.host}/gitted.git#{commit}"
    task = farm.hub.make_task("buildSRPMFromSCM", [url, TAG, {"repo_id": farm.repo_id}], arch="noarch")
    farm.closed(task, 240.0)
    result = farm.result(task)
    srpm = farm.output(task, Path(result["srpm"]).name)
    assert b"Parsed without credentials" in srpm
    assert "git clone" in farm.text(task, "checkout.log")


def test_a_build_is_adopted(site: Site, make_source: MakeSource) -> None:
    """Its log is followed on from where the killed daemon had come to."""
    farm = site.farm
    source = make_source("slow", spec_text("slow", "for n in $(seq 60); do echo line-$n; sleep 0.25; done"))
    task = farm.build_arch(source)
    farm.until(lambda: "line-5\n" in farm.text(task, "build.log"), "the build", 120.0)
    farm.kill()
    farm.start(*site.daemon)
    farm.closed(task, 240.0)
    lines = [line for line in farm.text(task, "build.log").splitlines() if line.startswith("line-")]
    assert lines == [f"line-{number}" for number in range(1, 61)]
