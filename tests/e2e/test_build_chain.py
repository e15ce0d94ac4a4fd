"""Builds as users ask for them: from a source package or from git to a tag, by the `koji` command, on real Podman."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import koji
import pytest

from koji_adjutant.container.interface import LABEL_TASK
from koji_adjutant.minihub.faults import Call, DropConnection
from tests.conftest import NOT_HERE
from tests.distro.make import Distro
from tests.support.farm import TAG, Farm
from tests.support.farm_fixtures import MakeSource, spec_text
from tests.support.git_server import GitServer, reachable_address
from tests.support.smtp_server import SMTPServer

KOJI = Path(sys.executable).with_name("koji")
pytestmark = pytest.mark.skipif(not KOJI.exists(), reason="the koji command is not beside this Python")

DEST = "dist"
Command = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class Site:
    """A farm with a target, a mail server and a git server."""

    farm: Farm
    mail: SMTPServer
    git: GitServer

    def children(self, task: int) -> dict[str, dict[str, Any]]:
        """Children of a task by their labels."""
        return {child["label"]: child for child in self.farm.hub.call("getTaskChildren", task)}

    def tagged(self) -> set[str]:
        return {row["nvr"] for row in self.farm.hub.call("listTagged", DEST)}

    def mail_with(self, text: bytes) -> bytes:
        """The first mail that holds `text`; empty while there is none."""
        return next((mail.data for mail in self.mail.mails if text in mail.data), b"")

    def containers_of(self, task: int) -> list[Any]:
        return self.farm.runtime.list_managed({LABEL_TASK: str(task)})

    def newest_build(self) -> int:
        """The newest task `build`."""
        rows = self.farm.hub.call("listTasks", opts={"method": "build"}, queryOpts={"order": "-id", "limit": 1})
        return int(rows[0]["id"])


@pytest.fixture(scope="module")
def site(
    distro: Distro, podman_socket: Path, tools_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The farm, its daemon running."""
    address = reachable_address()
    if address is None:
        pytest.skip(f"{NOT_HERE}a machine without an address besides its loopback")
    # Not pytest's directory: paths of sockets have 107 bytes at most.
    directory = Path(tempfile.mkdtemp(prefix="adjutant-farm-"))
    try:
        with (
            SMTPServer() as mail,
            GitServer(tmp_path_factory.mktemp("git"), address) as git,
            Farm(directory, distro.repo, podman_socket, tools_image) as farm,
        ):
            farm.hub.add_tag(DEST, "x86_64")
            farm.hub.add_target(DEST, TAG, DEST)
            for package in ("noarch-data", "fails-build", "gitted"):
                farm.hub.add_package(DEST, package)
            farm.write_conf(smtphost=mail.address, allowed_scms=f"{address}*:/*:no:sh,fetch.sh")
            farm.start()
            yield Site(farm, mail, git)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def command(site: Site, tmp_path: Path) -> Command:
    """Run the command as the hub's administrator."""
    hub = site.farm.hub
    hub.write_profile(tmp_path / "koji.conf")
    who = ["--user", hub.admin.user, "--password", hub.admin.password, "--force-auth"]

    def run(*words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        full = [str(KOJI), "--config", str(tmp_path / "koji.conf"), *who, *map(str, words)]
        done = subprocess.run(full, capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False)
        assert done.returncode == status, done.stdout + done.stderr + site.farm.log_tail()
        return done

    return run


def test_source_package_to_tag(site: Site, command: Command, samples: Mapping[str, Path]) -> None:
    """Koji build: the SRPM is rebuilt, built, imported and tagged, and its owner hears of it by mail."""
    said = command("build", "--wait", DEST, samples["noarch-data"]).stdout
    assert "completed successfully" in said
    task = site.newest_build()
    children = site.children(task)
    assert list(children) == ["srpm", "noarch", "tag"]
    assert [child["method"] for child in children.values()] == ["rebuildSRPM", "buildArch", "tagBuild"]
    build = site.farm.hub.call("getBuild", "noarch-data-1.0-1.adj1", strict=True)
    assert (build["state"], build["task_id"]) == (koji.BUILD_STATES["COMPLETE"], task)
    assert build["nvr"] in site.tagged()
    result = site.farm.result(children["srpm"]["id"])
    assert set(result) == {"srpm", "logs", "brootid", "source"}
    assert {Path(log).name for log in result["logs"]} >= {"root.log", "build.log", "state.log", "mock_config.log"}
    subject = b"Subject: Package: noarch-data-1.0-1.adj1 Tag: dist Status: complete Built by: admin\r\n"
    site.farm.until(lambda: site.mail_with(subject), "the mail")
    assert site.mail.mails[0].recipients == ("admin@example.com",)


def test_git_to_tag_with_a_daemon_that_dies(site: Site, command: Command) -> None:
    """A build from git, whose sources a command brings from the network, ends right although its daemon is killed.

    The kill comes after completeBuild: what the next daemon has left to do is the tagging. The spec never has a network.
    """
    tcp = f"/dev/tcp/{site.git.host.replace(':', '/')}"
    spec = spec_text("gitted", "cat %{SOURCE0}").replace("License: MIT", "License: MIT\nSource0: fetched")
    spec = spec.replace("Summary: Made by a test", "Summary: Parsed with %(grep -c : /proc/net/dev) network")
    fetch = f"exec 3<>{tcp}\nprintf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3\ncat <&3 >fetched\n"
    commit = site.git.repository("gitted", {"gitted.spec": spec.encode(), "fetch.sh": fetch.encode()})
    hub = site.farm.hub

    def kill(call: Call) -> None:
        if call.method == "host.completeBuild":
            hub.after_call = None
            site.farm.kill()
            raise DropConnection

    hub.after_call = kill
    command("build", "--nowait", DEST, f"git+http://{site.git.host}/gitted.git#{commit}")
    task = site.newest_build()
    site.farm.until(lambda: site.farm.daemons[-1].poll() is not None, "the kill")
    assert site.farm.hub.call("getBuild", "gitted-1.0-1")["state"] == koji.BUILD_STATES["COMPLETE"]
    assert "gitted-1.0-1" not in site.tagged()
    site.farm.start()
    site.farm.closed(task)
    assert "gitted-1.0-1" in site.tagged()
    children = site.children(task)
    assert list(children) == ["srpm", "noarch", "tag"]
    result = site.farm.result(children["srpm"]["id"])
    assert b"Parsed with 1 network" in site.farm.output(children["srpm"]["id"], Path(result["srpm"]).name)
    assert result["source"]["source"] == f"git+http://{site.git.host}/gitted.git#{commit}"
    assert "HTTP/1.0 404" in site.farm.text(children["noarch"]["id"], "build.log")


def test_failing_build(site: Site, command: Command, samples: Mapping[str, Path]) -> None:
    """The user reads the child's fault, the build is marked as failed, and the mail quotes the fault."""
    said = command("build", "--wait", DEST, samples["fails-build"], status=1).stdout
    assert "BuildError: error building package (arch noarch), mock exited with status 1" in said
    (build,) = site.farm.hub.call("listBuilds", taskID=site.newest_build())
    assert build["state"] == koji.BUILD_STATES["FAILED"]
    site.farm.until(lambda: site.mail_with(b"Status: failed"), "the mail")
    assert b"error building package (arch noarch)" in site.mail_with(b"Status: failed")


def test_cancel(site: Site, command: Command, make_source: MakeSource) -> None:
    """Cancelling a build ends its children, and their containers."""
    # In a buildroot its parsing takes long enough to be met at it.
    spec = spec_text("lasting", "true").replace("Made by a test", "Made %(test -d /builddir && sleep 300) by a test")
    command("build", "--nowait", "--scratch", DEST, make_source("lasting", spec))
    task = site.newest_build()
    site.farm.until(lambda: "srpm" in site.children(task), "rebuildSRPM")
    child = site.children(task)["srpm"]["id"]
    site.farm.until(lambda: site.containers_of(child), "its containers")
    command("cancel", task)
    assert site.farm.ended(task) == "CANCELED"
    assert site.farm.ended(child) == "CANCELED"
    site.farm.until(lambda: not site.containers_of(child), "the end of its containers")
