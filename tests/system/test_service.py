"""The unit under a real systemd: when it has started, what a restart does to builds, its watchdog, its neighbours."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import Path

import koji
import pytest

from tests.system.machine import Machine
from tests.system.service_farm import UNIT, ServiceFarm

pytestmark = [pytest.mark.podman, pytest.mark.distro, pytest.mark.system]
TICKS = 10
"""Seconds that a build ticks."""
EXPOSURE = 3.1
"""What `systemd-analyze security` may say at most; docs/installing.md states it."""


def begun(farm: ServiceFarm, source: Path) -> int:
    """A build that has just begun to tick."""
    task = farm.build_arch(source)
    wait_for_tick(farm, task, 1)
    return task


def wait_for_tick(farm: ServiceFarm, task: int, tick: int) -> None:
    farm.until(lambda: f"slow: tick {tick}\n" in farm.text(task, "build.log"), f"tick {tick}", 120.0)


def whole(farm: ServiceFarm, task: int) -> None:
    """The task ends CLOSED with one run in one buildroot, and its log has every line once."""
    farm.closed(task)
    log = farm.text(task, "build.log")
    assert [int(tick) for tick in re.findall(r"^slow: tick (\d+)$", log, re.MULTILINE)] == list(range(1, TICKS + 1))
    assert log.count("Executing command: ['bash', '--login', '-c', '/usr/bin/rpmbuild -bb") == 1
    assert [row["state"] for row in farm.buildroots(task)] == [koji.BR_STATES["EXPIRED"]]


def processes(machine: Machine) -> dict[str, list[str]]:
    """Process ids of conmon and of PID 1 of each container of a task."""
    names = machine.run("podman", "ps", "--quiet", "--filter=label=io.koji.adjutant.task").split()
    assert names
    form = "{{.State.ConmonPid}} {{.State.Pid}}"
    return {name: machine.run("podman", "inspect", "--format", form, name).split() for name in names}


def units(machine: Machine, found: dict[str, list[str]]) -> set[str]:
    """Units whose control groups hold these processes, without the containers' names."""
    pids = ",".join(pid for pair in found.values() for pid in pair)
    return {re.sub(r"[0-9a-f]{64}", "ID", unit) for unit in machine.run("ps", "-o", "unit=", "-p", pids).split()}


def test_started_when_the_hub_has_heard_of_it(farm: ServiceFarm) -> None:
    """`systemctl start` returns when the first check-in was answered; the status line says what the daemon does."""
    calls: list[str] = []
    farm.hub.before_call = lambda call: calls.append(call.method)
    farm.systemctl("start")
    assert "host.updateHost" in calls
    assert (farm.property("ActiveState"), farm.property("Type")) == ("active", "notify")
    farm.until(lambda: farm.property("StatusText") == "builder: taking tasks; 0 running", "the status")


def test_a_restart_keeps_builds(farm: ServiceFarm, samples: Mapping[str, Path]) -> None:
    """`systemctl restart` in the middle of a build: its containers and conmon live on elsewhere, the next daemon adopts it."""
    farm.systemctl("start")
    task = begun(farm, samples["slow"])
    before, pid = processes(farm.machine), farm.property("MainPID")
    assert units(farm.machine, before) == {"libpod-ID.scope", "libpod-conmon-ID.scope"}
    farm.systemctl("restart")
    assert farm.property("MainPID") != pid
    assert processes(farm.machine) == before
    assert farm.state(task) == "OPEN"
    whole(farm, task)


def test_a_restart_of_podman_keeps_builds(farm: ServiceFarm, samples: Mapping[str, Path]) -> None:
    """The Podman service, stopped or restarted by systemd, takes no container along."""
    farm.systemctl("start")
    task = begun(farm, samples["slow"])
    before = processes(farm.machine)
    farm.machine.run("systemctl", "restart", "podman.service")
    farm.machine.run("systemctl", "stop", "podman.service")
    assert processes(farm.machine) == before
    whole(farm, task)


def test_a_loop_that_hangs_is_restarted(farm: ServiceFarm, samples: Mapping[str, Path]) -> None:
    """No pass for WatchdogSec: SIGABRT with a traceback of each thread, a new daemon, and the build goes on."""
    farm.configure(unit={"WatchdogSec": "5s", "RestartSec": "1s"})
    farm.systemctl("start")
    task = begun(farm, samples["slow"])
    answers = threading.Event()
    farm.hub.before_call = lambda *_: answers.wait(60)
    farm.until(lambda: int(farm.property("NRestarts")) >= 1, "the watchdog")
    answers.set()
    assert "Fatal Python error: Aborted" in farm.machine.journal(lines=400)
    farm.until(lambda: farm.property("StatusText").startswith("builder: taking tasks"), "its work")
    whole(farm, task)


def test_reload_restarts_in_place(farm: ServiceFarm, samples: Mapping[str, Path]) -> None:
    """`systemctl reload` drains and restarts as kojid does: the same process, which systemd does not take for one that ends."""
    farm.configure(unit={"TimeoutStopSec": "2s"})
    farm.systemctl("start")
    task, pid = begun(farm, samples["slow"]), farm.property("MainPID")
    farm.systemctl("reload")
    farm.until(lambda: "no more tasks" in farm.property("StatusText"), "the drain")
    farm.closed(task)
    farm.until(lambda: farm.property("StatusText") == "builder: taking tasks; 0 running", "the successor")
    farm.closed(farm.build_arch(samples["noarch-data"]))
    assert (farm.property("MainPID"), farm.property("NRestarts"), farm.property("ActiveState")) == (pid, "0", "active")


def test_a_drain_outlasts_the_stop_timeout(farm: ServiceFarm, samples: Mapping[str, Path]) -> None:
    """With `stop: drain` a stop waits for the build, however short TimeoutStopSec is."""
    farm.configure(unit={"TimeoutStopSec": "3s"}, stop="drain")
    farm.systemctl("start")
    task = begun(farm, samples["slow"])
    farm.systemctl("stop")
    assert farm.state(task) == "CLOSED"
    assert farm.property("Result") == "success"


def test_hub_that_is_away_at_start(farm: ServiceFarm) -> None:
    """The unit comes up by itself once the hub is there."""
    farm.configure(unit={"RestartSec": "1s"})
    farm.hub.pause()
    farm.machine.run("systemctl", "start", "--no-block", UNIT)
    farm.until(lambda: int(farm.property("NRestarts")) >= 1, "a second try")
    farm.hub.start()
    farm.until(lambda: farm.property("ActiveState") == "active", "the start")


def test_one_of_the_two_builders_runs(farm: ServiceFarm) -> None:
    """Starting kojid stops koji-adjutant, and the other way round; one has ended before the other begins."""
    machine, unit = farm.machine, "/run/systemd/system/kojid.service"
    machine.write(unit, "[Service]\nExecStart=/bin/sleep 1000\n")
    try:
        machine.run("systemctl", "daemon-reload")
        farm.systemctl("start")
        machine.run("systemctl", "start", "kojid")
        assert farm.property("ActiveState") == "inactive"
        farm.systemctl("start")
        assert machine.property("kojid", "ActiveState") == "inactive"
    finally:
        machine.run("rm", unit)


def test_kojids_names(farm: ServiceFarm) -> None:
    """Where the package for it has given the unit kojid's name, `systemctl start kojid` starts koji-adjutant."""
    link = "/usr/local/lib/systemd/system/kojid.service"
    farm.machine.run("ln", "-s", UNIT, link)
    try:
        farm.machine.run("systemctl", "daemon-reload")
        farm.machine.run("systemctl", "start", "kojid")
        assert (farm.machine.property("kojid", "Id"), farm.property("ActiveState")) == (UNIT, "active")
        farm.machine.run("systemctl", "stop", "kojid")
        assert farm.property("ActiveState") == "inactive"
    finally:
        farm.machine.run("rm", link)


def test_hardening(machine: Machine) -> None:
    """The exposure that systemd finds is what the docs say."""
    said = machine.run("systemd-analyze", "security", "--no-pager", UNIT)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found, said
    assert float(found.group(1)) <= EXPOSURE, said


def test_units_are_clean(machine: Machine) -> None:
    """There is nothing in unit, user and directories that systemd minds."""
    assert machine.run("systemd-analyze", "verify", UNIT).strip() == ""
    assert machine.run("id", "-gn", "koji-adjutant").strip() == "koji-adjutant"
    modes = machine.run("stat", "-c", "%n %a %U", "/var/lib/koji-adjutant", "/var/cache/koji-adjutant", "/var/tmp/koji")
    assert modes.split("\n")[:3] == [
        "/var/lib/koji-adjutant 700 root",
        "/var/cache/koji-adjutant 755 root",
        "/var/tmp/koji 755 root",
    ]


def test_the_log_file_can_be_rotated(farm: ServiceFarm) -> None:
    """After logrotate the daemon writes into the new file."""
    farm.systemctl("start")
    farm.machine.run("logrotate", "--force", "/etc/logrotate.d/koji-adjutant")
    farm.machine.run("systemctl", "kill", "--signal=HUP", UNIT)
    farm.until(lambda: "signal.received" in farm.machine.run("cat", "/var/log/kojid.log"), "the next line")
    assert "daemon.starting" in farm.machine.run("cat", "/var/log/kojid.log.1")
