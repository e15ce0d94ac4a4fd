"""A cancelled task is gone within five seconds, whatever its build does against it (design section 8)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from koji_adjutant.container.interface import LABEL_TASK
from tests.support.farm import Farm
from tests.support.farm_fixtures import MakeFarm

pytestmark = pytest.mark.alone
WITHIN = 5.0


def _cancel(farm: Farm, task: int) -> float:
    """Cancel at the hub; return when."""
    farm.hub.call("cancelTask", task)
    return time.monotonic()


def _left(farm: Farm, task: int) -> list[str]:
    """Containers, processes and mounts of a task on this machine."""
    names = [info.handle.name for info in farm.containers() if info.labels.get(LABEL_TASK) == str(task)]
    directories = [str(path) for path in farm.directory.glob(f"state/*/tasks/{task}")]
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/tasks/{task}/" in line]
    return names + directories + [line for line in mounts if str(farm.directory) in line]


def _processes(farm: Farm, marker: str) -> list[str]:
    """Command lines of processes that have `marker` in theirs or in their environment.

    The daemon prepares an image of the same root for the next build, with the same environment: that one is not of the task.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, environ = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
            cgroup = (path / "cgroup").read_text()
        except OSError:
            continue
        if marker.encode() in command + environ:
            found.append((command.replace(b"\0", b" ").decode(errors="replace"), cgroup))
    # Asked for after the processes were seen: the container of each of them is listed, or the process has ended with it.
    others = [info.handle.id for info in farm.containers() if LABEL_TASK not in info.labels]
    return [command for command, cgroup in found if not any(other in cgroup for other in others)]


def _gone(farm: Farm, task: int, marker: str, cancelled_at: float) -> None:
    farm.until(lambda: not _left(farm, task) and not _processes(farm, marker), "the end of everything", 30.0)
    seconds = time.monotonic() - cancelled_at
    assert seconds < WITHIN, f"it took {seconds:.1f} s"
    assert farm.state(task) == "CANCELED"


@pytest.mark.parametrize("name", ["slow", "stubborn"])
def test_cancel_of_a_build(make_farm: MakeFarm, samples: Mapping[str, Path], name: str) -> None:
    """A build in %build, and one that ignores every signal it can and has writers in sessions of their own."""
    marker = f"cancel-{time.time_ns()}"
    farm = make_farm(extra={"rpm.env.CANCEL_MARKER": marker})
    farm.start()
    task = farm.build_arch(samples[name])
    farm.until(lambda: f"{name}: tick 3\n" in farm.text(task, "build.log"), "the third tick", 120.0)
    assert _processes(farm, marker)
    cancelled_at = _cancel(farm, task)
    _gone(farm, task, marker, cancelled_at)
    log = farm.text(task, "build.log")
    assert len(re.findall(rf"^{name}: tick \d+$", log, re.MULTILINE)) >= 3
    buildroots = farm.buildroots(task)
    assert len(buildroots) == 1
    assert "Finish: run" not in farm.text(task, "state.log")
    _still_works(farm, samples["noarch-data"])


def test_cancel_of_a_base_install(make_farm: MakeFarm, samples: Mapping[str, Path]) -> None:
    """The package manager is at work in `tools`: it is gone as fast."""
    farm = make_farm()
    farm.start()
    task = farm.build_arch(samples["noarch-data"])
    farm.until(lambda: "Running transaction" in farm.text(task, "root.log"), "the transaction", 120.0)
    cancelled_at = _cancel(farm, task)
    _gone(farm, task, f"state/builder/tasks/{task}", cancelled_at)
    assert "Executing command" in farm.text(task, "root.log")
    assert "rpmbuild" not in farm.text(task, "build.log")
    _still_works(farm, samples["noarch-data"])


def test_cancel_while_no_daemon_is_there(make_farm: MakeFarm, samples: Mapping[str, Path]) -> None:
    """The next daemon does not adopt a task that was cancelled meanwhile; it removes what is left of it."""
    farm = make_farm()
    farm.start()
    task = farm.build_arch(samples["stubborn"])
    farm.until(lambda: "stubborn: tick 1\n" in farm.text(task, "build.log"), "the first tick", 120.0)
    farm.kill()
    farm.hub.call("cancelTask", task)
    farm.start()
    farm.until(lambda: not _left(farm, task), "the end of everything")
    farm.until(lambda: all(row["state"] == 3 for row in farm.buildroots(task)), "the end of the buildroot")
    assert farm.state(task) == "CANCELED"


def _still_works(farm: Farm, source: Path) -> None:
    task = farm.build_arch(source)
    farm.closed(task)
    assert json.loads(farm.text(task, "adjutant-env.json"))
