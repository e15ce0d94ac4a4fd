"""The commands of `koji-adjutant` against a running daemon: what operators see and do while a build runs."""

from __future__ import annotations

import grp
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.farm import ROOT, TAG, Farm
from tests.support.farm_fixtures import MakeFarm, MakeSource, spec_text

pytestmark = [pytest.mark.podman, pytest.mark.distro]

PATIENT = """
set +x
for tick in $(seq 1000); do
    test ! -e /builddir/stop || exit 0
    echo "patient: tick $tick"
    sleep 0.3
done
exit 1
"""
"""A build that goes on until somebody enters its root and ends it."""
NOBODY = 65534
RAW_CLIENT = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(sys.argv[2].encode() + b"\\n")
print(connection.makefile().readline(), end="")
"""
"""A client without any of our code, which a stranger may not be able to read."""


@dataclass
class Admin:
    """A farm whose daemon serves a socket that others can reach, and the command that asks it."""

    farm: Farm
    socket: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "ADJUTANT_CONFIG": str(self.farm.directory / "adjutant.yaml")}
        command = [sys.executable, "-m", "koji_adjutant.cli.main", *words]
        known: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, cwd="/", env=environ, **known | options)
        self.started.append(process)
        return process

    def end(self) -> None:
        """Kill what a failed test has left."""
        for process in self.started:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    def run(self, *words: str, code: int = 0) -> str:
        """Run the command; return what it printed."""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{words}:\n{out.decode()}\n{err.decode()}\n{self.farm.log_tail()}"
        return (out if code == 0 else err).decode()

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))

    def as_nobody(self, command: str, **arguments: Any) -> Any:
        """Ask as another user, by the bare protocol."""
        request = json.dumps({"control": 1, "command": command, "arguments": arguments})
        python = os.path.realpath(sys.executable)
        asked = subprocess.run(
            [python, "-I", "-c", RAW_CLIENT, str(self.socket), request],
            cwd="/",
            env={},
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            capture_output=True,
            check=True,
            timeout=30,
        )
        return json.loads(asked.stdout)


@pytest.fixture
def admin(make_farm: MakeFarm) -> Iterator[Admin]:
    """A farm whose daemon is still to be started."""
    with tempfile.TemporaryDirectory(prefix="adjutant-admin-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        path = directory / "control.sock"
        control = {"socket": str(path), "group": grp.getgrgid(NOBODY).gr_name}
        farm = make_farm(config={"control": control})
        admin = Admin(farm, path)
        yield admin
        admin.end()


def test_a_day_of_an_operator(
    admin: Admin, samples: Mapping[str, Path], make_source: MakeSource, tmp_path: Path
) -> None:
    """Look, follow a log over a restart, look into the root, drain, resume, sweep; another user may only look."""
    farm = admin.farm
    assert "no daemon answers" in admin.run("status", code=3)
    farm.start()
    task = farm.build_arch(make_source("patient", spec_text("patient", PATIENT)))
    farm.until(lambda: "patient: tick 2\n" in farm.text(task, "build.log"), "the second tick")
    followed = tmp_path / "followed.log"
    with followed.open("wb") as stream:
        follower = admin.start("log", str(task), "-f", stdout=stream)
    _look(admin, task)
    _strangers(admin)
    other = _drain_over_a_restart(admin, task, samples["noarch-data"])
    admin.run("shell", str(task), "touch", "/builddir/stop")
    assert follower.wait(60) == 0
    farm.closed(task)
    assert followed.read_bytes() == farm.output(task, "build.log")
    assert b"waiting for it" in follower.communicate()[1]
    assert admin.json("drain", "--wait", "--timeout", "30")["running"] == 0
    assert farm.state(other) != "OPEN"
    assert "root had drained" in admin.run("resume")
    farm.until(lambda: farm.state(other) in {"OPEN", "CLOSED"}, "the task that was not taken")
    assert f"task {task} is not here" in admin.run("log", str(task), code=1)
    _sweep(admin)


def _look(admin: Admin, task: int) -> None:
    status = admin.json("status")
    assert (status["ready"], status["host"], status["drain"]) == (True, "builder", None)
    assert [(row["task_id"], row["method"]) for row in status["tasks"]] == [(task, "buildArch")]
    assert f"{task}" in admin.run("tasks")
    assert "root.log" in admin.run("log", str(task), "--list")
    last = admin.run("log", str(task), "-n", "1")
    assert last.startswith("patient: tick ")
    assert last.count("\n") == 1
    inside = admin.run("shell", str(task), "sh", "-c", "id -u; cat /builddir/build/SPECS/patient.spec")
    assert inside.startswith("0\n")
    assert "Name: patient" in inside
    assert admin.run("shell", str(task), "sh", "-c", "exit 7", code=7) == ""
    assert "/buildroot" in admin.run("shell", "--role", "tools", str(task), "ls", "-d", "/buildroot")


def _strangers(admin: Admin) -> None:
    """Another user of the group is told what runs, and can change nothing."""
    assert admin.as_nobody("status")["end"]["host"] == "builder"
    for command, arguments in [("drain", {}), ("sweep", {}), ("shell", {"task": 1}), ("image-evict", {})]:
        error = admin.as_nobody(command, **arguments)["error"]
        assert error["fault"] == "not-permitted"
        assert "nobody" in error["brief"]
    assert admin.json("status")["drain"] is None


def _drain_over_a_restart(admin: Admin, task: int, source: Path) -> int:
    """Drain, restart the daemon under the build, and see that nothing is taken; return the task that is not."""
    farm = admin.farm
    admin.run("drain", "--reason", "new kernel")
    farm.until(lambda: admin.json("status")["reason"] == "Draining: new kernel", "the drain")
    other = farm.build_arch(source)
    farm.stop()
    farm.start()
    farm.until(admin.socket.exists, "the socket of the next daemon")
    farm.until(lambda: [row["adopted"] for row in admin.json("tasks")["tasks"]] == [True], "the adoption")
    assert "asked for by root: new kernel\n" in admin.run("status")
    farm.until(lambda: "ready      no: Draining: new kernel\n" in admin.run("status"), "the drain of the next daemon")
    return other


def _sweep(admin: Admin) -> None:
    """What would go is named with its reason and stays; then it goes."""
    farm = admin.farm
    (tasks,) = farm.directory.glob("state/*/tasks")
    old = tasks / "999999"
    old.mkdir()
    os.utime(old, (1, 1))
    found = admin.json("sweep", "--dry-run")["leftovers"]
    assert ("999999", "task 999999 is not open on this host") in [(row["name"], row["reason"]) for row in found]
    assert old.exists()
    assert "999999" in admin.run("sweep")
    assert not old.exists()


def test_images(admin: Admin) -> None:
    """An image is made before any build asks for it, listed, and removed; bootstrap images are refused here."""
    admin.farm.start()
    admin.farm.until(admin.socket.exists, "the socket")
    admin.farm.until(lambda: admin.json("status")["adopted"], "the end of adoption")
    assert admin.json("image", "list")["images"] == []
    made = admin.json("image", "prepare", TAG, "--wait")
    assert (made["tag"], made["repo_id"]) == (TAG, admin.farm.repo_id)
    (image,) = admin.json("image", "list")["images"]
    assert (image["kind"], image["tag"], image["repo_id"]) == ("root", TAG, admin.farm.repo_id)
    assert image["size"] > 1 << 20
    assert "no tag no-such-tag" in admin.run("image", "prepare", "no-such-tag", code=1)
    assert "one container only" in admin.run("image", "bootstrap", TAG, code=1)
    assert admin.run("image", "evict", image["reference"].rpartition(":")[2][:12]).startswith("evicted localhost/")
    assert admin.json("image", "list")["images"] == []
