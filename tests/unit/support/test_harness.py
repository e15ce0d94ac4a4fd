"""The harness itself: what it promises to the tests that build on it."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.distro.make import Distro
from tests.support.podman_host import PodmanService, containers_conf
from tests.support.repo_server import RepoServer


@pytest.mark.parametrize(
    ("systemd", "unified", "runc", "present", "absent"),
    [
        (True, True, True, [], ["runtime", "cgroupfs"]),
        (False, False, True, ['runtime = "runc"', 'cgroup_manager = "cgroupfs"', 'events_logger = "file"'], []),
        (False, False, False, ["cgroupfs"], ["runtime"]),
        (True, False, True, ['runtime = "runc"'], ["cgroupfs"]),
    ],
)
def test_containers_conf_fits_the_machine(
    *,
    systemd: bool,
    unified: bool,
    runc: bool,
    present: list[str],
    absent: list[str],
) -> None:
    """Only what the machine lacks is overridden; descriptors are always bounded."""
    text = containers_conf(systemd=systemd, unified_cgroups=unified, runc=runc)
    assert "nofile=20000:20000" in text
    assert all(words in text for words in present)
    assert not any(words in text for words in absent)


def test_repo_server_serves_and_counts(tmp_path: Path) -> None:
    """Files come whole, a missing one is 404, both are on record."""
    (tmp_path / "file").write_bytes(b"content")
    with RepoServer(tmp_path) as server:
        with urllib.request.urlopen(f"{server.url}/file", timeout=60) as answer:
            assert answer.read() == b"content"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{server.url}/nothing", timeout=60)
        caught.value.close()
        assert server.requests == [("/file", 200), ("/nothing", 404)]


@pytest.mark.podman
@pytest.mark.distro
def test_tools_image_reads_its_own_rpm_database(podman_service: PodmanService, tools_image: str) -> None:
    """The rpm inside sees what this machine's dnf installed, through the session's service."""
    command = ["podman", "--url", podman_service.url, "run", "--rm", "--network=none", tools_image]
    result = subprocess.run([*command, "rpm", "-q", "bash", "dnf"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.distro
def test_samples_are_what_they_claim(samples: Mapping[str, Path], distro: Distro) -> None:
    """The sound ones pass rpm's own check, the damaged ones do not; the repository has packages for them."""
    assert {"hello-c", "dynamic-br", "stubborn", "not-an-rpm", "truncated"} <= set(samples)
    verdicts = {}
    for name, path in samples.items():
        command = ["rpm", "-K", "--nosignature", str(path)]
        verdicts[name] = subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert {name for name, good in verdicts.items() if not good} == {"not-an-rpm", "truncated"}
    assert (distro.repo / "repodata" / "repomd.xml").exists()
