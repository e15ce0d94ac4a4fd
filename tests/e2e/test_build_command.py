"""`koji-adjutant build` as a process on real Podman: prepared image, failing package, interrupt, beside a service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.container.podman_manager import PodmanManager
from tests.distro.make import Distro
from tests.support.farm import Farm

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.podman, pytest.mark.distro, pytest.mark.timeout(600)]

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache directory of this module's own: its first build is cold, the others are not."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def start(
    cache: Path, distro: Distro, samples: Mapping[str, Path], podman_socket: Path, tools_image: str, tmp_path: Path
) -> Iterator[Start]:
    """Return a function that starts the command for a sample; results in `tmp_path/result`."""
    started: list[subprocess.Popen[str]] = []

    def start(sample: str, *words: str, **environ: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "koji_adjutant.cli.main", "build", str(samples[sample])]
        command += ["--repo", str(distro.repo), "--tools-image", tools_image, "--result", str(tmp_path / "result")]
        own = {
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(cache),
            "ADJUTANT_PODMAN_SOCKET": f"unix://{podman_socket}",
        }
        process = subprocess.Popen(
            [*command, *words],
            cwd=tmp_path,
            env={**os.environ, **own, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def desk_containers(podman_socket: Path, cache: Path) -> Iterator[Callable[[], list[Any]]]:
    """Return a function that lists the containers of this module's desks; what a test leaves is removed."""
    from koji_adjutant.cli.desk_directory import host_name

    runtime = PodmanManager(str(podman_socket))

    def listed() -> list[Any]:
        hosts = {host_name(path.resolve()) for path in (cache / "koji-adjutant" / "desk").glob("*")}
        found = runtime.list_managed({})
        return [info for info in found if info.labels.get("io.koji.adjutant.worker", "").partition(".")[0] in hosts]

    yield listed
    for info in listed():
        runtime.remove(info.handle)
    runtime.close()


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end; return exit code, stdout, stderr."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def test_second_build_starts_from_the_prepared_image(
    start: Start, tmp_path: Path, desk_containers: Callable[[], list[Any]]
) -> None:
    """RPMs, logs and times are told; the second build finds repo and root of the first; nothing is left running."""
    code, out, err = finished(start("hello-c", "--define", "adjutant_word told"))
    assert code == 0, err
    assert "keeping the root for next time" in err
    for line in ("build root", "rpmbuild"):
        assert line in err
    packages = [Path(line.strip()) for line in out.splitlines() if line.endswith(".rpm")]
    assert {path.parent for path in packages} == {tmp_path / "result"}
    named = subprocess.run(["rpm", "-qp", "--qf", "%{NAME} ", *packages], capture_output=True, text=True, check=True)
    assert "hello-c" in named.stdout.split()
    assert str(tmp_path / "result" / "build.log") in out
    assert "adjutant_word" in (tmp_path / "result" / "adjutant-env.json").read_text()
    code, out, err = finished(start("hello-c"))
    assert code == 0, err
    assert "from a prepared image" in err
    assert "as it was" in err
    assert "adjutant_word" not in (tmp_path / "result" / "adjutant-env.json").read_text()
    assert desk_containers() == []


def test_failing_package(start: Start, desk_containers: Callable[[], list[Any]]) -> None:
    """Exit code 1, kojid's sentence, the end of the log that it names; --keep keeps the root and says how to enter it."""
    code, out, err = finished(start("fails-build", "--keep"))
    assert code == 1, err
    assert "error building package (arch x86_64), mock exited with status 1; see build.log" in err
    assert "| fails-build: on purpose" in err
    assert "failed at rpmbuild" in out
    [kept] = desk_containers()
    assert f"podman exec -it {kept.handle.name} /bin/bash" in err


def test_damaged_package(start: Start) -> None:
    """A page instead of a package is the package's failure, before anything is started."""
    code, _, err = finished(start("not-an-rpm"))
    assert code == 1
    assert "not-an-rpm-1.0-1.src.rpm cannot be built" in err
    assert "HTML" in err


def test_infrastructure(start: Start, tmp_path: Path) -> None:
    """No Podman, no image: exit code 75 with the thing named."""
    code, _, err = finished(start("hello-c", ADJUTANT_PODMAN_SOCKET=f"unix://{tmp_path}/none.sock"))
    assert code == 75
    assert f"{tmp_path}/none.sock" in err
    code, _, err = finished(start("hello-c", "--tools-image", "localhost/none:1"))
    assert code == 75
    assert "localhost/none:1" in err


def test_interrupt(start: Start, desk_containers: Callable[[], list[Any]]) -> None:
    """Ctrl-C in the middle of a build that ignores signals: exit code 130, every container gone."""
    process = start("stubborn")
    deadline = time.monotonic() + 120
    while not any(info.labels.get("io.koji.adjutant.role") == "tools" for info in desk_containers()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    code, _, err = finished(process)
    assert code == 130, err
    assert desk_containers() == []


def test_beside_a_service(
    start: Start,
    tmp_path: Path,
    distro: Distro,
    samples: Mapping[str, Path],
    podman_socket: Path,
    tools_image: str,
    desk_containers: Callable[[], list[Any]],
) -> None:
    """A service and a desk on one Podman: the whole life of each, clean-up included, leaves the other's containers alone."""
    (tmp_path / "farm").mkdir()
    with Farm(tmp_path / "farm", distro.repo, podman_socket, tools_image) as farm:
        farm.start()
        task = farm.build_arch(samples["stubborn"])
        farm.until(lambda: "log:rpmbuild-b" in farm.journal(task), "rpmbuild of the service")
        of_service = {info.handle.id for info in farm.containers() if info.labels.get("io.koji.adjutant.task")}
        code, _, err = finished(start("hello-c"))
        assert code == 0, err
        assert of_service <= {info.handle.id for info in farm.containers()}
        assert farm.state(task) == "OPEN"
        desk = start("stubborn")
        farm.until(lambda: len(desk_containers()) >= 2, "the desk's containers")
        of_desk = {info.handle.id for info in desk_containers()}
        farm.hub.call("cancelTask", task)
        farm.until(lambda: not of_service & {info.handle.id for info in farm.containers()}, "the removal")
        assert of_desk <= {info.handle.id for info in desk_containers()}
        desk.send_signal(signal.SIGINT)
        assert finished(desk)[0] == 130
