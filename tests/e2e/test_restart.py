"""A build outlives its daemon: killed, stopped, restarted, and the Podman service with it (design section 5)."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import koji
import pytest

from tests.support.farm import Farm
from tests.support.farm_fixtures import MakeFarm, MakeSource, spec_text
from tests.support.podman_host import PodmanService

TICKS = 15


@pytest.fixture
def slow(make_farm: MakeFarm, samples: Mapping[str, Path]) -> tuple[Farm, int]:
    """A farm and a build of TICKS seconds in rpmbuild that has just begun to tick."""
    farm = make_farm(extra={"rpm.macro.ticks": str(TICKS)})
    farm.start()
    return farm, _begun(farm, samples["slow"])


def test_kill_9(slow: tuple[Farm, int]) -> None:
    """A kill -9 in the middle of %build, started again: nothing is lost and nothing done twice."""
    farm, task = slow
    before = _containers(farm)
    farm.kill()
    assert _containers(farm) == before
    farm.start()
    _whole(farm, task)


def test_killed_while_the_build_ends(slow: tuple[Farm, int]) -> None:
    """The build ends while no daemon is there: the next one finds its status and the rest of its log."""
    farm, task = slow
    farm.kill()
    farm.until(lambda: list(farm.directory.glob(f"state/*/tasks/{task}/root-1/steps/rpmbuild-b/status")), "the end")
    assert farm.state(task) == "OPEN"
    farm.start()
    _whole(farm, task)


def test_stop_keeps(slow: tuple[Farm, int]) -> None:
    """SIGTERM with `stop: keep`: exit code 0, the host not ready, the task open and its containers running."""
    farm, task = slow
    before = _containers(farm)
    assert farm.stop() == 0
    assert (farm.state(task), _containers(farm)) == ("OPEN", before)
    assert not farm.hub.call("getHost", "builder")["ready"]
    farm.start()
    _whole(farm, task)


def test_three_deaths(slow: tuple[Farm, int]) -> None:
    """A build that loses its daemon again and again."""
    farm, task = slow
    for tick in (3, 6):
        farm.kill()
        farm.start()
        _wait_for_tick(farm, task, tick)
    _whole(farm, task)


def test_rounds_of_build_requires_are_not_forgotten(make_farm: MakeFarm, make_source: MakeSource) -> None:
    """Killed in each round of %generate_buildrequires: what an earlier round found stays true though the root is further on."""
    asks = "%generate_buildrequires\necho zlib-devel\n[ ! -e /usr/include/zlib.h ] || { sleep 5; echo popt-devel; }\n"
    asks += "[ ! -e /usr/include/popt.h ] || { sleep 5; echo m4; }\n"
    text = spec_text("rounds", "m4 --version").replace("%build\n", f"%prep\n%setup -q -c -T\n\n{asks}\n%build\n")
    farm = make_farm()
    farm.start()
    task = farm.build_arch(make_source("rounds", text), "noarch")
    for rounds in (1, 2):
        farm.until(lambda wanted=rounds: farm.text(task, "build.log").count("+ sleep 5") >= wanted, f"round {rounds}")
        farm.kill()
        farm.start()
    farm.closed(task)


def test_restart_by_signal(make_farm: MakeFarm, samples: Mapping[str, Path]) -> None:
    """SIGUSR1: no task is taken any more, the running one ends, then the daemon is a new process image that takes the next."""
    farm = make_farm(extra={"rpm.macro.ticks": "3"})
    daemon = farm.start()
    task = _begun(farm, samples["slow"])
    began = _started(daemon.pid)
    daemon.send_signal(signal.SIGUSR1)
    farm.until(lambda: "daemon.restart_pending" in farm.log_tail(1 << 20), "the signal's effect")
    later = farm.build_arch(samples["noarch-data"])
    farm.closed(task)
    farm.closed(later)
    assert farm.hub.call("getTaskInfo", later)["start_ts"] > farm.hub.call("getTaskInfo", task)["completion_ts"]
    assert daemon.poll() is None
    assert _started(daemon.pid) == began, "exec keeps the process"
    assert farm.log_tail(1 << 20).count("daemon.starting") == 2


def test_podman_service_restarts(
    make_farm: MakeFarm, samples: Mapping[str, Path], podman_service: PodmanService
) -> None:
    """The Podman service goes away in the middle of a build and comes back: the build does not notice."""
    farm = make_farm(extra={"rpm.macro.ticks": str(TICKS)})
    farm.start()
    task = _begun(farm, samples["slow"])
    podman_service.stop()
    try:
        _wait_for_tick(farm, task, 5)
    finally:
        podman_service.start()
    _whole(farm, task)


def _begun(farm: Farm, source: Path) -> int:
    task = farm.build_arch(source)
    _wait_for_tick(farm, task, 1)
    return task


def _wait_for_tick(farm: Farm, task: int, tick: int) -> None:
    farm.until(lambda: f"slow: tick {tick}\n" in farm.text(task, "build.log"), f"tick {tick}")


def _containers(farm: Farm) -> list[tuple[str, Any]]:
    """Containers of tasks with their states."""
    infos = [info for info in farm.containers() if "io.koji.adjutant.task" in info.labels]
    return sorted((info.handle.name, farm.runtime.state(info.handle).status) for info in infos)


def _whole(farm: Farm, task: int) -> None:
    """The task ends CLOSED with one run in one buildroot, and its log has every line once."""
    farm.closed(task)
    log = farm.text(task, "build.log")
    assert [int(tick) for tick in re.findall(r"^slow: tick (\d+)$", log, re.MULTILINE)] == list(range(1, TICKS + 1))
    assert log.count("slow: end\n") == 1
    assert log.count("Executing command: ['bash', '--login', '-c', '/usr/bin/rpmbuild -bb") == 1
    assert log.endswith("Child return code was: 0\n")
    assert [row["state"] for row in farm.buildroots(task)] == [koji.BR_STATES["EXPIRED"]]
    assert farm.result(task)["rpms"]
    farm.until(lambda: not _containers(farm), "the end of the containers")


def _started(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
