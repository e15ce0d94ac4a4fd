"""The hub away, the session stolen, memory at an end: a build survives or fails with words that help."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xmlrpc.client import Fault

import koji
import pytest

from koji_adjutant.container.interface import LABEL_TASK
from koji_adjutant.minihub.faults import Call, DropConnection, HttpError
from tests.support.farm import HOST, Farm
from tests.support.farm_fixtures import MakeFarm, MakeSource, spec_text

LIMIT = 256 << 20


def _ticks(farm: Farm, task: int) -> list[int]:
    return [int(tick) for tick in re.findall(r"^slow: tick (\d+)$", farm.text(task, "build.log"), re.MULTILINE)]


def _begun(farm: Farm, source: Path) -> int:
    task = farm.build_arch(source)
    farm.until(lambda: 1 in _ticks(farm, task), "the first tick")
    return task


def _of_tasks(farm: Farm) -> list[str]:
    """Names of the tasks' containers; those of a prepared image come and go beside them."""
    return sorted(info.handle.name for info in farm.containers() if LABEL_TASK in info.labels)


def _spooled(farm: Farm, task: int) -> str:
    """Return build.log as the daemon has it on disk."""
    paths = list(farm.directory.glob(f"state/*/tasks/{task}/logs/build.log"))
    return paths[0].read_text() if paths else ""


def test_hub_away(make_farm: MakeFarm, samples: Mapping[str, Path]) -> None:
    """A hub that is down while the build runs, and still down when it ends, costs nothing but time."""
    farm = make_farm(extra={"rpm.macro.ticks": "12"})
    farm.start()
    task = _begun(farm, samples["slow"])
    farm.hub.pause()
    try:
        farm.until(lambda: "slow: end\n" in _spooled(farm, task), "the end of the build without a hub")
    finally:
        farm.hub.start()
    farm.closed(task)
    assert _ticks(farm, task) == list(range(1, 13))
    assert len(farm.buildroots(task)) == 1


def test_answers_lost(make_farm: MakeFarm, samples: Mapping[str, Path]) -> None:
    """Every call that changes something is carried out, its first answer lost, and 502 in its place: nothing happens twice."""
    farm = make_farm()
    lost: set[str] = set()

    def lose(call: Call) -> None:
        if call.method.startswith("host.") and call.method not in lost:
            lost.add(call.method)
            if len(lost) % 2:
                raise DropConnection
            raise HttpError(502, "Bad Gateway")

    farm.hub.after_call = lose
    farm.start()
    task = farm.build_arch(samples["noarch-data"])
    farm.closed(task)
    assert {"host.openTask", "host.newBuildRoot", "host.setBuildRootList", "host.closeTask"} <= lost
    assert [row["state"] for row in farm.buildroots(task)] == [koji.BR_STATES["EXPIRED"]]


def test_session_stolen(make_farm: MakeFarm, samples: Mapping[str, Path]) -> None:
    """Another daemon of this name takes the session: ours ends with status 1, touches no container and frees nothing."""
    farm = make_farm(extra={"rpm.macro.ticks": "12"})
    daemon = farm.start()
    task = _begun(farm, samples["slow"])
    before = _of_tasks(farm)
    thief = koji.ClientSession(farm.hub.url, {"user": HOST, "password": "of the builder"})
    thief.login()
    thief.exclusiveSession(force=True)
    farm.until(lambda: daemon.poll() is not None, "the end of the daemon")
    assert daemon.returncode == 1
    assert farm.state(task) == "OPEN"
    assert _of_tasks(farm) == before
    assert "another" in farm.log_tail()
    thief.logout()
    farm.start()
    farm.closed(task)
    assert _ticks(farm, task) == list(range(1, 13))


def test_out_of_memory(make_farm: MakeFarm, make_source: MakeSource) -> None:
    """A build that needs more memory than it may have fails, and the fault names limit and peak."""
    farm = make_farm(config={"build": {"memory": LIMIT}})
    farm.start()
    hungry = make_source("hungry", spec_text("hungry", "echo hungry: begin\nhead -c 3G /dev/zero | tail -c 2G | wc -c"))
    task = farm.build_arch(hungry)
    assert farm.ended(task) == "FAILED", farm.log_tail()
    with pytest.raises(Fault) as raised:
        farm.result(task)
    assert raised.value.faultCode == 1005
    assert raised.value.faultString.startswith("error building package (arch x86_64), mock exited with status ")
    said = re.search(r"out of memory: limit (\d+) bytes, peak (\d+) bytes", raised.value.faultString)
    assert said, raised.value.faultString
    assert int(said[1]) == LIMIT
    assert LIMIT // 2 < int(said[2]) <= LIMIT
    assert "hungry: begin" in farm.text(task, "build.log")
