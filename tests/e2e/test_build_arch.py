"""Every sample as a buildArch task: state, fault, result, logs and buildroot as kojid and mock give them (contract 4)."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import koji
import pytest

from tests.support.farm import TAG, Farm

LOGS = {"root.log", "state.log", "build.log", "hw_info.log", "installed_pkgs.log", "mock_output.log", "mock_config.log"}
LOGS |= {"dnf.log", "dnf.rpm.log", "dnf.librepo.log"}
"""What kojid with mock uploads (contract 4.0.4)."""
RPM_LEAD = b"\xed\xab\xee\xdb"
OWN = {"adjutant-env.json", "reproduce.sh"}
ANY_STATUS_1 = "error building package (arch x86_64), mock exited with status 1; "
ANY_STATUS_1 += "see build.log or root.log for more information"

GOOD: Mapping[str, set[str]] = {
    "noarch-data": {"noarch-data.noarch"},
    "hello-c": {"hello-c.x86_64", "hello-c-debuginfo.x86_64", "hello-c-debugsource.x86_64"},
    "many-subpackages": {
        "many-subpackages-data.noarch",
        *(f"many-subpackages{part}.x86_64" for part in ("", "-libs", "-devel", "-debuginfo", "-debugsource")),
    },
    "dynamic-br": {"dynamic-br.noarch"},
    "needs-oddities": {"needs-oddities.noarch"},
    "unicode": {"unicode.noarch"},
    "odd-modes": {"odd-modes.x86_64"},
    "network-probe": {"network-probe.noarch"},
    "env-probe": {"env-probe.noarch"},
}
"""Packages by name and arch."""

FAILING = {
    "fails-prep": ANY_STATUS_1,
    "fails-build": ANY_STATUS_1,
    "fails-check": ANY_STATUS_1,
    "missing-br": "error building package (arch x86_64), mock exited with status 30; see root.log for more information",
    "truncated": "error building package (arch x86_64), mock exited with status 40; see root.log for more information",
}
"""Fault 1005 (BuildError) with these texts."""


@pytest.fixture(scope="module")
def built(farm: Farm, samples: Mapping[str, Path]) -> Mapping[str, int]:
    """Task ids of all samples here, built side by side by one daemon and ended."""
    first = farm.build_arch(samples["noarch-data"])
    farm.ended(first)
    farm.prepared()
    names = [*GOOD, *FAILING, "not-an-rpm"]
    tasks = {name: farm.build_arch(samples[name]) for name in names}
    for task in tasks.values():
        farm.ended(task)
    return tasks


def _result(farm: Farm, task: int) -> dict[str, Any]:
    result: dict[str, Any] = farm.result(task)
    return result


@pytest.mark.parametrize("name", GOOD)
def test_result(farm: Farm, built: Mapping[str, int], name: str) -> None:
    """CLOSED, and the result names packages, one source package, logs and buildroot, all below the task's directory."""
    task = built[name]
    assert farm.state(task) == "CLOSED", farm.log_tail()
    result = _result(farm, task)
    assert set(result) == {"rpms", "srpms", "logs", "brootid"}
    assert {_name_arch(path) for path in result["rpms"]} == GOOD[name]
    assert [Path(path).name for path in result["srpms"]] == [f"{name}-1.0-1.adj1.src.rpm"]
    assert result["brootid"] == farm.buildroots(task)[0]["id"]
    everything = [*result["rpms"], *result["srpms"], *result["logs"]]
    assert {str(Path(path).parent) for path in everything} == {f"tasks/{task % 10000}/{task}"}
    assert {path.name for path in farm.output_directory(task).iterdir()} == {Path(path).name for path in everything}


@pytest.mark.parametrize("name", GOOD)
def test_logs(farm: Farm, built: Mapping[str, int], name: str) -> None:
    """Kojid's log names and ours, none of them empty; noarch packages have their hashes."""
    result = _result(farm, built[name])
    noarch = {Path(path).name for path in result["rpms"] if path.endswith(".noarch.rpm")}
    rpmdiff = {"noarch_rpmdiff.json"} if noarch else set()
    assert {Path(path).name for path in result["logs"]} == LOGS | OWN | rpmdiff
    assert all(farm.output(built[name], Path(path).name) for path in result["logs"])
    if noarch:
        hashes = json.loads(farm.text(built[name], "noarch_rpmdiff.json"))
        assert set(hashes) == {str(built[name])}
        assert set(hashes[str(built[name])]) == noarch
        assert all(re.fullmatch("[0-9a-f]{64}", value) for value in hashes[str(built[name])].values())


@pytest.mark.parametrize("name", [*GOOD, *FAILING])
def test_buildroot(farm: Farm, built: Mapping[str, int], name: str) -> None:
    """One buildroot, expired; what the hub lists of it is what installed_pkgs.log says was there."""
    rows = farm.buildroots(built[name])
    assert [row["state"] for row in rows] == [koji.BR_STATES["EXPIRED"]]
    listed = farm.hub.call("listRPMs", componentBuildrootID=rows[0]["id"])
    assert all(row["external_repo_name"] == "distro" for row in listed)
    if name not in GOOD:
        assert listed, "the contents are told before the build fails"
        return
    said = {line.split()[0] for line in farm.text(built[name], "installed_pkgs.log").splitlines()}
    assert {f"{row['nvr']}.{row['arch']}" for row in listed} == {_without_epoch(nevra) for nevra in said}


def test_build_requires_are_updates(farm: Farm, built: Mapping[str, int]) -> None:
    """What a build needs beyond the group is told with updateBuildRootList."""
    buildroot = farm.buildroots(built["dynamic-br"])[0]["id"]
    rows = farm.hub.call("listRPMs", componentBuildrootID=buildroot)
    assert {"zlib-devel", "popt-devel", "m4"} <= {row["name"] for row in rows if row["is_update"]}
    assert not any(row["is_update"] for row in rows if row["name"] == "bash")


@pytest.mark.parametrize("name", FAILING)
def test_fault(farm: Farm, built: Mapping[str, int], name: str) -> None:
    """FAILED with kojid's fault and sentence, and the logs are there."""
    assert farm.state(built[name]) == "FAILED"
    with pytest.raises(Fault) as raised:
        farm.result(built[name])
    assert (raised.value.faultCode, raised.value.faultString) == (1005, FAILING[name])
    assert farm.text(built[name], "root.log")
    assert farm.text(built[name], "mock_config.log")


def test_what_failed_is_in_the_log(farm: Farm, built: Mapping[str, int]) -> None:
    """The log that the sentence names has the reason."""
    for name in ("fails-prep", "fails-build", "fails-check"):
        assert f"{name}: on purpose" in farm.text(built[name], "build.log")
        assert "Child return code was: 1" in farm.text(built[name], "build.log")
    assert "no-such-package-anywhere >= 42" in farm.text(built["missing-br"], "root.log")
    assert "never reached" not in farm.text(built["missing-br"], "build.log")
    assert "truncated" in farm.text(built["truncated"], "root.log")


def test_not_an_rpm(farm: Farm, built: Mapping[str, int]) -> None:
    """HTML in place of a package: kojid's header check after the download, before any buildroot."""
    task = built["not-an-rpm"]
    with pytest.raises(Fault) as raised:
        farm.result(task)
    srpm = farm.hub.call("getTaskRequest", task)[0]
    local = farm.directory / "work" / "tasks" / str(task % 10000) / str(task) / "local" / "work" / srpm
    assert raised.value.faultCode == 1000
    assert raised.value.faultString == (
        f"Downloaded rpm {farm.hub.topurl}/work/{srpm} is corrupted:\n"
        f"rpm's header can't be extracted: {local} (rpm error: error reading package header)"
    )
    assert farm.buildroots(task) == []


def test_odd_modes(farm: Farm, built: Mapping[str, int]) -> None:
    """Setuid, setgid, capabilities, owners and unreadable modes are in the package."""
    package = next(farm.output_directory(built["odd-modes"]).glob("odd-modes-1*.x86_64.rpm"))
    query = "[%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILECAPS}\n]"
    asked = subprocess.run(["rpm", "-qp", "--nosignature", "--qf", query, package], capture_output=True, check=True)
    files = {line.split()[0]: line.split()[1:] for line in asked.stdout.decode().splitlines()}
    assert files["/usr/bin/odd-setuid"][0] == f"{stat.S_IFREG | 0o4755:o}"
    assert files["/usr/bin/odd-setgid"][:3] == [f"{stat.S_IFREG | 0o2755:o}", "root", "mail"]
    assert files["/usr/bin/odd-capable"][3] in {"cap_net_bind_service=ep", "=cap_net_bind_service+ep"}
    assert files["/var/lib/odd-modes/locked"][0] == f"{stat.S_IFREG:o}".ljust(3, "0")
    assert files["/var/lib/odd-modes/again"][1:3] == ["mail", "mail"]


def test_offline(farm: Farm, built: Mapping[str, int]) -> None:
    """Lo is up and nothing else is there."""
    log = farm.text(built["network-probe"], "build.log")
    assert "network-probe: interfaces: lo\n" in log
    assert "network-probe: nothing to reach" in log


@pytest.fixture(scope="module")
def seen(farm: Farm, built: Mapping[str, int]) -> Mapping[str, str]:
    """What env-probe printed, by heading."""
    log = farm.text(built["env-probe"], "build.log")
    parts = re.split(r"^=== (.+)\n", log[: log.index("=== end")], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_environment(seen: Mapping[str, str]) -> None:
    """Mock's variables and those that rpmbuild and the login shell add, no other."""
    variables = dict(line.split("=", 1) for line in seen["env"].splitlines())
    mock = {"TERM": "vt100", "SHELL": "/bin/bash", "HOME": "/builddir", "HOSTNAME": "mock", "LANG": "C"}
    assert {key: variables.get(key) for key in mock} == mock
    rpm = {key for key in variables if key.startswith("RPM_")}
    shell = {"PWD", "OLDPWD", "SHLVL", "_", "PROMPT_COMMAND", "PS1", "LOGNAME", "USER", "MAIL", "SOURCE_DATE_EPOCH"}
    flags = {
        "CFLAGS",
        "CXXFLAGS",
        "FFLAGS",
        "FCFLAGS",
        "LDFLAGS",
        "CONFIG_SITE",
        "PKG_CONFIG_PATH",
        "VALAFLAGS",
        "LT_SYS_LIBRARY_PATH",
    }
    assert set(variables) - rpm - {*mock, "PATH"} - shell - flags == {"PATH"} - {"PATH"}
    assert not {"container", "KUBERNETES_SERVICE_HOST", "CONTAINER_HOST"} & set(variables)


def test_identity(seen: Mapping[str, str]) -> None:
    """Mock's user and group, no capability, a machine-id of the task's own, mock's host name."""
    assert re.match(r"uid=1000\(mockbuild\) gid=135\(mock\) groups=135\(mock\)", seen["id"])
    assert seen["umask"].strip() == "0022"
    status = dict(line.split(":", 1) for line in seen["status"].splitlines())
    assert int(status["CapEff"], 16) == 0
    assert re.fullmatch(r"[0-9a-f]{32}\n", seen["machine-id"])
    assert seen["hostname"].strip() == "mock"


def test_name_resolution(seen: Mapping[str, str]) -> None:
    """Hosts knows localhost only, resolv.conf is empty."""
    names = {name for line in seen["hosts"].splitlines() for name in line.split()[1:]}
    assert names == {"localhost", "localhost.localdomain", "localhost6", "localhost6.localdomain6"}
    assert seen["resolv.conf"] == ""


def test_work_area(seen: Mapping[str, str]) -> None:
    """/builddir is the build user's, /tmp and /var/tmp everybody's; no other task is in sight."""
    assert "mockbuild mock" in seen["builddir"].splitlines()[1]
    assert all(line.startswith("drwxrwxrwt") for line in seen["tmp"].splitlines())
    assert "build of another" not in seen["processes"]
    assert "koji_adjutant" not in seen["processes"]


def test_macros(seen: Mapping[str, str]) -> None:
    """Kojid's macros (contract 4.0.2), the Koji host's name as build host."""
    macros = dict(line.split("=", 1) for line in seen["macros"].splitlines())
    assert macros["vendor"] == "Koji"
    assert macros["packager"] == "Koji"
    assert macros["distribution"] == "Koji"
    assert macros["topdir"] == "/builddir/build"
    assert macros["buildhost"] == "builder"
    assert macros["dist"] == ".adj1"
    assert macros["rpmfilename"] == "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm"


def test_two_tasks_do_not_mix(farm: Farm, samples: Mapping[str, Path]) -> None:
    """Two builds at once: each log has its own package only."""
    names = ("noarch-data", "unicode")
    with ThreadPoolExecutor() as pool:
        tasks = dict(zip(names, pool.map(lambda name: farm.build_arch(samples[name]), names), strict=True))
    assert [farm.ended(task) for task in tasks.values()] == ["CLOSED", "CLOSED"]
    for name, other in (names, names[::-1]):
        assert f"{other}-1.0" not in farm.text(tasks[name], "build.log")
        assert f"{name}-1.0" in farm.text(tasks[name], "build.log")


def test_nothing_is_left(farm: Farm, built: Mapping[str, int]) -> None:
    """No container of a task that has ended, but the kept roots of the failed ones."""
    failed = {str(built[name]) for name in FAILING}

    def left() -> set[str]:
        return {info.labels["io.koji.adjutant.task"] for info in farm.containers()} - failed

    farm.until(lambda: not left(), "the end of the clean-up")


def test_package_that_was_replaced_under_its_name(farm: Farm, samples: Mapping[str, Path]) -> None:
    """A stale package in the cache is fetched again by the first task that meets it."""
    farm.stop()
    rpms = [path for path in (farm.directory / "state/packages").glob("??/*") if path.read_bytes()[:4] == RPM_LEAD]
    largest = max(rpms, key=lambda path: path.stat().st_size)
    stale = b"\0" * largest.stat().st_size
    largest.write_bytes(stale)
    farm.repo_id = farm.hub.add_repo(TAG)
    farm.start()
    farm.closed(farm.build_arch(samples["noarch-data"]))
    assert "root.retried" not in farm.log_tail(1 << 20)
    farm.stop()
    assert largest.read_bytes() != stale, "the next task has the new one"
    farm.start()


def _name_arch(path: str) -> str:
    parsed = koji.parse_NVRA(Path(path).name)
    return f"{parsed['name']}.{parsed['arch']}"


def _without_epoch(nevra: str) -> str:
    return re.sub(r"-\d+:", "-", nevra)
