"""Repos as users ask for them: the daemon makes repodata in containers, of the tag's rpms and of external repos."""

from __future__ import annotations

import gzip
import json
import secrets
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.farm import TAG, Farm
from tests.support.made_packages import MadePackage, make_package

READY = 1
EXTERNAL = 100
"""The test distribution has more packages than this."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadePackage:
    """A package that no external repo has."""
    return make_package(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def repos(farm: Farm, made: MadePackage) -> Farm:
    """The farm, whose tag has a package of its own."""
    farm.hub.add_rpm(TAG, made.rpm)
    return farm


def repodata(farm: Farm, repo: str, arch: str = "x86_64") -> Path:
    """Where a repo's metadata stands below topdir."""
    return Path(farm.hub.topdir) / repo / arch / "repodata"


def packages(directory: Path) -> dict[str, str]:
    """Name to location of each package of a repo."""
    (primary,) = directory.glob("*primary.xml.gz")
    namespace = {"m": "http://linux.duke.edu/metadata/common"}
    found = {}
    for package in ET.fromstring(gzip.decompress(primary.read_bytes())).findall("m:package", namespace):
        location = package.find("m:location", namespace)
        assert location is not None
        found[str(package.findtext("m:name", namespaces=namespace))] = location.attrib["href"]
    return found


def new_repo(farm: Farm) -> int:
    """Have a repo made; return its id."""
    task = farm.hub.call("newRepo", TAG)
    farm.closed(task)
    return int(farm.result(task)[0])


def test_a_repo_and_the_next(repos: Farm, made: MadePackage) -> None:
    """Own and external packages merged, less what is blocked; the second one starts from the first."""
    first = new_repo(repos)
    directory = repodata(repos, f"repos/{TAG}/{first}")
    found = packages(directory)
    assert found[made.name].startswith("toplink/packages/")
    assert len(found) > EXTERNAL
    (origins,) = directory.glob("*pkgorigins.gz")
    lines = dict(line.split("\t") for line in gzip.decompress(origins.read_bytes()).decode().splitlines())
    assert lines[f"{made.nvr}.x86_64"].endswith(f"/repo_{first}_premerge/")
    assert len(lines) == len(found)
    repos.hub.add_package(TAG, "gawk")
    repos.hub.call("packageListBlock", TAG, "gawk")
    task = repos.hub.call("newRepo", TAG)
    repos.closed(task)
    second = repos.result(task)[0]
    assert set(found) - set(packages(repodata(repos, f"repos/{TAG}/{second}"))) == {"gawk"}
    (child,) = repos.hub.call("getTaskChildren", task)
    assert "CACHE HIT" in repos.text(child["id"], "createrepo.log")
    assert (Path(repos.hub.topdir) / "repos" / TAG / "latest").readlink().name == str(second)


def test_the_daemon_dies_under_its_tasks(repos: Farm) -> None:
    """Killed while a child runs, started again: one repo, one child, the steps of the first daemon."""
    task = repos.hub.call("newRepo", TAG)
    repos.until(repos.containers, "the container of createrepo")
    repos.kill()
    repos.start()
    repos.closed(task)
    (child,) = repos.hub.call("getTaskChildren", task)
    assert repos.state(child["id"]) == "CLOSED"
    (made,) = repos.hub.call("repo.query", [["task_id", "=", task]], ["id", "state"])
    assert [made["id"], made["state"]] == [repos.result(task)[0], READY]
    assert packages(repodata(repos, f"repos/{TAG}/{made['id']}"))
    assert repos.text(child["id"], "createrepo.log").count("Executing command") == 1


def test_a_tag_without_anything(repos: Farm) -> None:
    """An empty repo says that it is meant to be."""
    repos.hub.add_tag("empty", "x86_64")
    task = repos.hub.call("newRepo", "empty")
    repos.closed(task)
    directory = repodata(repos, f"repos/empty/{repos.result(task)[0]}")
    assert packages(directory) == {}
    assert (directory / "EMPTY_REPO").read_text().startswith("This repo is empty")


def test_a_dist_repo(repos: Farm, made: MadePackage) -> None:
    """Unsigned rpms where allowed, linked into their place with metadata beside; refused by name where not."""
    options = {
        "arch": ["x86_64"],
        "comps": None,
        "delta": [],
        "event": None,
        "inherit": True,
        "latest": True,
        "multilib": None,
        "split_debuginfo": False,
        "skip_missing_signatures": False,
    }
    key = secrets.token_hex(4)
    task = repos.hub.call("distRepo", TAG, [key], **options, allow_missing_signatures=True)
    repos.closed(task)
    number = repos.result(task).split("#")[1].split()[0]
    directory = repodata(repos, f"repos-dist/{TAG}/{number}")
    assert packages(directory) == {made.name: f"Packages/{made.name[0]}/{made.rpm.name}"}
    assert (directory.parent / packages(directory)[made.name]).read_bytes() == made.rpm.read_bytes()
    listed = json.loads((directory.parent / "kojipkgs").read_bytes())
    assert listed[made.rpm.name]["sigkey"] is None
    task = repos.hub.call("distRepo", TAG, [key], **options, allow_missing_signatures=False)
    assert repos.ended(task) == "FAILED"
    assert "Unsigned packages found. See missing_signatures.log" in repos.fault(task)
    (child,) = repos.hub.call("getTaskChildren", task)
    assert f"{made.nvr}.x86_64: ['']" in repos.text(child["id"], "missing_signatures.log")


def test_without_topdir(repos: Farm) -> None:
    """A builder that does not see the hub's files leaves the task to others, with kojid's reason."""
    repos.stop()
    repos.write_conf(topdir=f"{repos.directory}/nowhere")
    repos.start()
    task = repos.hub.call("newRepo", TAG)

    def refusals() -> list[dict[str, object]]:
        return list(repos.hub.call("scheduler.getTaskRefusals", [["task_id", "=", task]]))

    repos.until(refusals, "the refusal")
    assert refusals()[0]["msg"] == f"No access to repos dir {repos.directory}/nowhere/repos"
    assert refusals()[0]["soft"]
    repos.hub.call("cancelTask", task)
    repos.stop()
    repos.write_conf()
    repos.start()
