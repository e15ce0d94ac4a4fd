"""kill -9 of the daemon before, between call and reply of, and after every act of buildArch (design section 5).

Whatever was being done, the next daemon brings the task to the end that it would have had: one rpmbuild, logs without a gap
or a repetition, one buildroot in use, nothing left.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.container.interface import LABEL_TASK
from tests.support.farm import Farm
from tests.support.farm_fixtures import MakeFarm, MakeSource, spec_text

DYING = (sys.executable, "-m", "tests.faults.daemon_that_dies")

ACTS = ("newBuildRoot", "setBuildRootList", "building", "updateBuildRootList-1", "result", "expired", "report")
"""Acts of the journal: intent, effect, result."""
VALUES = ("arch", "random", "prepared-1", "machine-id", "spec-runs", "log:install-srpm", "log:rpmbuild-b")
VALUES += ("line:hw-info", "line:installed-pkgs")
"""Values of the journal: before there is one nothing has happened that is not in the lists beside this one."""
EFFECTS = ("create task", "start task", "create tools", "start tools", "set-up", "step install-srpm")
EFFECTS += ("step rpmbuild-bs-1", "step rpmbuild-b", "put noarch_rpmdiff.json", "put *.noarch.rpm", "put *.src.rpm")
EFFECTS += ("say closeTask", "remove tools", "remove task")
"""Calls to runtime and hub; what comes after one is what comes before the next."""

CASES = [f"{when} journal {name}" for name in ACTS for when in ("before", "between", "after")]
CASES += [f"after journal {name}" for name in VALUES]
CASES += [f"{when} {act}" for act in EFFECTS for when in ("before", "between")]
CASES += ["within create task", "within create tools"]

COLD = ["before step init", "between step init", "after journal log:init", "between create prepare-task"]
COLD += ["between start prepare-tools", "before commit", "between commit"]

PREPARING = {case for case in COLD if "prepare" in case or "commit" in case}
"""The daemon dies while it makes the prepared image."""

AFTER_THE_END = {"between journal report", "after journal report", "between say closeTask"}
AFTER_THE_END |= {f"{when} remove {role}" for when in ("before", "between") for role in ("tools", "task")}
"""The task is closed before these: there is nothing to adopt, only to clean up."""

NAME = "kill-table"
BUILD = """echo "run $(cat /proc/sys/kernel/random/uuid)"
for n in $(seq 200); do echo "line $n"; done"""


@pytest.fixture(scope="module")
def source(make_source: MakeSource) -> Path:
    """A package whose build says which run it is."""
    return make_source(NAME, spec_text(NAME, BUILD))


@pytest.fixture(scope="module")
def reference(farm: Farm, source: Path) -> dict[str, Any]:
    """A build that nobody disturbed, from the prepared image; then the daemon of the first case is started.

    Each case ends with a living daemon: that of the next case.
    """
    first = farm.build_arch(source)
    farm.closed(first)
    farm.prepared()
    task = farm.build_arch(source)
    farm.closed(task)
    farm.until(lambda: not _left(farm, task), "the end of the clean-up")
    farm.stop()
    told = _told(farm, task)
    _start(farm)
    return told


def _start(farm: Farm) -> None:
    """Start a daemon that dies when `_die` says where."""
    farm.start(*DYING, DIE_FILE=str(farm.directory / "die"))


def _die(farm: Farm, case: str) -> None:
    """Let the living daemon die there."""
    (farm.directory / "die").write_text(case)


@pytest.mark.parametrize("case", CASES)
def test_kill(farm: Farm, source: Path, reference: dict[str, Any], case: str) -> None:
    """The daemon dies there; the next one ends the task as if nothing had happened."""
    if farm.daemons[-1].poll() is not None:
        _start(farm)  # the case before this one has failed
    dying = farm.daemons[-1]
    _die(farm, case)
    task = farm.build_arch(source)
    farm.until(lambda: dying.poll() is not None, f"the death {case}")
    assert (farm.state(task) == "CLOSED") == (case in AFTER_THE_END)
    _start(farm)
    assert dying.returncode == -signal.SIGKILL, farm.log_tail()
    farm.closed(task)
    assert _told(farm, task) == reference
    farm.until(lambda: not _left(farm, task), "the end of the clean-up")


@pytest.fixture
def cold_farm(make_farm: MakeFarm) -> Iterator[Farm]:
    """A farm whose repository nobody has built from."""
    return make_farm()


@pytest.mark.parametrize("case", COLD)
def test_kill_cold(cold_farm: Farm, source: Path, case: str) -> None:
    """The same while the root is installed, and while the prepared image is made beside the build."""
    farm = cold_farm
    _start(farm)
    dying = farm.daemons[-1]
    _die(farm, case)
    task = farm.build_arch(source)
    farm.until(lambda: dying.poll() is not None, f"the death {case}")
    farm.start()
    farm.closed(task)
    log = farm.text(task, "build.log")
    assert len(re.findall(r"^run \S+$", log, re.MULTILINE)) == 1
    assert [int(n) for n in re.findall(r"^line (\d+)$", log, re.MULTILINE)] == list(range(1, 201))
    root_log = farm.text(task, "root.log")
    assert root_log.count("Complete!") == 1, "one install"
    farm.until(lambda: not _left(farm, task), "the end of the clean-up")
    if case in PREPARING:
        # A second build shows that whatever the death left of the prepared image does no harm.
        again = farm.build_arch(source)
        farm.closed(again)
        farm.prepared()
        farm.until(lambda: not [*_left(farm, again), *farm.containers()], "the end of the clean-up")


def _told(farm: Farm, task: int) -> dict[str, Any]:
    """Everything that a build says of itself, without what differs from build to build."""
    result = farm.result(task)
    directory = f"tasks/{task % 10000}/{task}/"
    used = [row for row in farm.buildroots(task) if row["id"] == result["brootid"]]
    return {
        "rpms": [path.removeprefix(directory) for path in result["rpms"]],
        "srpms": [path.removeprefix(directory) for path in result["srpms"]],
        "logs": [path.removeprefix(directory) for path in result["logs"]],
        "buildroots": [row["state"] for row in used],
        "contents": sorted(row["nvr"] for row in farm.hub.call("listRPMs", componentBuildrootID=result["brootid"])),
        "files": sorted(path.name for path in farm.output_directory(task).iterdir()),
        **{
            name: _constant(farm.text(task, name)) for name in ("build.log", "root.log", "state.log", "mock_output.log")
        },
    }


def _constant(log: str) -> list[str]:
    """Lines of a log without ids, times, temporary names."""
    log = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", log)
    log = re.sub(r"rpm-tmp\.\w+", "rpm-tmp", log)
    log = re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "TIME", log, flags=re.MULTILINE)
    return log.splitlines()


def _left(farm: Farm, task: int) -> list[str]:
    """What a task has left behind here or at the hub."""
    left = [f"buildroot {row['id']}" for row in farm.buildroots(task) if row["state"] != 3]
    left += [info.handle.name for info in farm.containers() if info.labels.get(LABEL_TASK) == str(task)]
    return left + [str(path) for path in farm.directory.glob(f"state/*/tasks/{task}")]
