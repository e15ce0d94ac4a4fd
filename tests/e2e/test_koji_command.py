"""The `koji` command, unchanged, on a real buildArch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.farm import TAG, Farm

KOJI = Path(sys.executable).with_name("koji")
pytestmark = pytest.mark.skipif(not KOJI.exists(), reason="the koji command is not beside this Python")

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(farm: Farm, tmp_path: Path) -> Command:
    """Run the command as the hub's administrator."""
    farm.hub.write_profile(tmp_path / "koji.conf")
    who = ["--user", farm.hub.admin.user, "--password", farm.hub.admin.password, "--force-auth"]

    def run(*words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        full = [str(KOJI), "--config", str(tmp_path / "koji.conf"), *who, *map(str, words)]
        done = subprocess.run(full, capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run


def _make(farm: Farm, command: Command, source: Path) -> int:
    path = farm.hub.add_upload(source.name, source.read_bytes())
    # make-task has no words for a dictionary among the arguments.
    request = json.dumps([path, TAG, "x86_64", True, {"repo_id": farm.repo_id}])
    named = json.dumps({"arch": "x86_64", "channel": "default"})
    done = command("call", "--json-input", "--json-output", f"--kwargs={named}", "makeTask", '"buildArch"', request)
    return int(done.stdout)


def test_a_build(farm: Farm, command: Command, samples: Mapping[str, Path], tmp_path: Path) -> None:
    """Call, watch-task, taskinfo, download-logs."""
    task = _make(farm, command, samples["noarch-data"])
    watched = command("watch-task", task).stdout
    assert "completed successfully" in watched
    shown = command("taskinfo", "-r", "-v", task).stdout
    assert "State: closed" in shown
    assert "Host: builder" in shown
    assert "noarch-data-1.0-1.adj1.noarch.rpm" in shown
    assert "build.log" in shown
    command("download-logs", task)
    logs = {path.name.partition("-")[0].partition(".")[0]: path for path in tmp_path.rglob("*.log")}
    assert {"build", "root", "state", "mock_output"} <= set(logs)
    assert logs["build"].read_bytes() == farm.output(task, "build.log")


def test_a_failing_build(farm: Farm, command: Command, samples: Mapping[str, Path]) -> None:
    """watch-task ends with status 1 and the sentence that people know."""
    task = _make(farm, command, samples["fails-build"])
    watched = command("watch-task", task, status=1).stdout
    assert "BuildError: error building package (arch x86_64), mock exited with status 1" in watched


def test_cancel(farm: Farm, command: Command, samples: Mapping[str, Path]) -> None:
    """Cancel ends it."""
    task = _make(farm, command, samples["slow"])
    farm.until(lambda: "slow: tick 1\n" in farm.text(task, "build.log"), "the first tick")
    command("cancel", task)
    assert farm.ended(task) == "CANCELED"
    mine = {"io.koji.adjutant.task": str(task)}
    farm.until(lambda: not farm.runtime.list_managed(mine), "the end of its containers")
