"""Images on real Podman in privileged containers, with stand-ins for kiwi and livemedia-creator (tests/distro/own)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import koji
import pytest

from tests.conftest import NOT_HERE
from tests.distro.make import Distro
from tests.support.farm import HOST, TAG, Farm
from tests.support.git_server import GitServer, reachable_address

pytestmark = [pytest.mark.podman, pytest.mark.distro]

DEST = "dist"
KIWI = """<?xml version="1.0" encoding="utf-8"?>
<image schemaversion="7.4" name="{name}">
  <include from="this://more.kiwi"/>
  <preferences><version>1.0</version><type image="oem"/></preferences>
  <repository type="rpm-md"><source path="http://elsewhere.example.com/"/></repository>
</image>
"""
MORE = """<image schemaversion="7.4" name="more"><packages type="image"><package name="git"/></packages></image>
"""
KICKSTART = "# {word}\nlang C\nrepo --name=mine --baseurl=http://elsewhere.example.com/\n%packages\nbash\n%end\n"


@dataclass(frozen=True)
class Site:
    """A farm whose operator allows privileged images; the git server holds descriptions."""

    farm: Farm
    git: GitServer

    def child(self, task: int, method: str) -> int:
        """The one child of that method."""
        return next(int(row["id"]) for row in self.farm.hub.call("getTaskChildren", task) if row["method"] == method)


@pytest.fixture(scope="module")
def site(
    distro: Distro, podman_socket: Path, tools_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The farm, its daemon running."""
    address = reachable_address()
    if address is None:
        pytest.skip(f"{NOT_HERE}a machine without an address besides its loopback")
    directory = Path(tempfile.mkdtemp(prefix="adjutant-farm-"))
    config = {"privileged_images": "on"}
    try:
        with (
            GitServer(tmp_path_factory.mktemp("git"), address) as git,
            Farm(directory, distro.repo, podman_socket, tools_image, config=config) as farm,
        ):
            farm.hub.add_tag(DEST, "x86_64")
            farm.hub.add_target(DEST, TAG, DEST)
            for package in ("test-image", "test-live"):
                farm.hub.add_package(DEST, package)
            farm.hub.call("addHostToChannel", HOST, "livemedia", create=True)
            farm.write_conf(allowed_scms=f"{address}*:/*:no:")
            farm.start()
            yield Site(farm, git)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def kiwi(site: Site, distro: Distro, name: str, **options: object) -> int:
    """Ask for an image of a description in git, beside which stands the package that will be in it."""
    package = next(distro.repo.glob("**/distro-release-1-*.rpm"))
    files = {
        "image/config.kiwi": KIWI.format(name=name).encode(),
        "image/more.kiwi": MORE.encode(),
        "image/Makefile": b"prep:\n\ttouch prepared\n",
        f"image/{package.name}": package.read_bytes(),
    }
    commit = site.git.repository(name, files)
    url = f"git+http://{site.git.host}/{name}.git#{commit}"
    return int(site.farm.hub.call("kiwiBuild", DEST, ["x86_64"], url, "image/config.kiwi", **options))


def test_kiwi_image_from_git_to_tag(site: Site, distro: Distro) -> None:
    """The description is Koji's, the container privileged, and the build holds image, package list and packages."""
    farm = site.farm
    task = kiwi(site, distro, "test-image", make_prep=True, profile=None)
    farm.closed(task)
    child = site.child(task, "createKiwiImage")
    build = farm.hub.call("getBuild", "test-image-1.0-1", strict=True)
    assert build["state"] == koji.BUILD_STATES["COMPLETE"]
    assert [row["nvr"] for row in farm.hub.call("listTagged", DEST, package="test-image")] == ["test-image-1.0-1"]
    result = farm.result(child)
    assert {key: result[key] for key in ("arch", "task_id", "logs", "name", "version", "release", "files")} == {
        "arch": "x86_64",
        "task_id": child,
        "logs": ["config.x86_64.kiwi"],
        "name": "test-image",
        "version": "1.0",
        "release": "1",
        "files": ["image-1.packages", "image-1.raw"],
    }
    assert [entry["name"] for entry in result["rpmlist"]] == ["distro-release"]
    description = farm.text(child, "config.x86_64.kiwi")
    assert f"/repos/{TAG}/{farm.repo_id}/x86_64" in description
    assert '<package name="git" />' in description
    assert "elsewhere" not in description
    log = farm.text(child, "image-root.x86_64.log")
    assert "--kiwi-file config.x86_64.kiwi --debug --logfile /tmp/image-root.x86_64.log system build" in log
    assert "uid 0 in /chroot_tmpdir" in log
    assert "mount works" in log
    assert "make prep ran" in log
    assert ("loop-control is there" in log) is Path("/dev/loop-control").exists()
    assert farm.text(child, "kiwi-result-bundle.x86_64.log")
    assert farm.text(child, "checkout-x86_64.log")
    assert [row["state"] for row in farm.buildroots(child)] == [koji.BR_STATES["EXPIRED"]]


def test_kiwi_that_fails(site: Site, distro: Distro) -> None:
    """The plugin's error, the log of kiwi at the hub, the build failed, no privileged container left."""
    farm = site.farm
    farm.hub.add_package(DEST, "broken")
    task = kiwi(site, distro, "broken")
    assert farm.ended(task) == "FAILED"
    child = site.child(task, "createKiwiImage")
    assert "Kiwi failed" in farm.fault(child)
    assert "this image cannot be made" in farm.text(child, "image-root.x86_64.log")
    assert farm.hub.call("getBuild", "broken-1.0-1")["state"] == koji.BUILD_STATES["FAILED"]
    farm.until(lambda: not [info for info in farm.containers() if "prepare" not in info.handle.name], "the clean-up")


def test_live_media(site: Site) -> None:
    """A scratch image of an uploaded kickstart, and one that fails with kojid's text."""
    farm = site.farm

    def spin(word: str) -> int:
        path = farm.hub.add_upload("live.ks", KICKSTART.format(word=word).encode(), "cli-image")
        options = {"scratch": True, "release": "1"}
        return int(farm.hub.call("buildImage", "test-live", "1", ["x86_64"], DEST, path, "livemedia", opts=options))

    good, bad = spin("good"), spin("broken")
    farm.closed(good)
    child = site.child(good, "createLiveMedia")
    name, ours = "test-live-x86_64-1-1.iso", f"koji-image-{TAG}-{child}.ks"
    assert farm.result(good).startswith("Scratch livecd build results in: ")
    result = farm.result(child)
    assert (result["files"], result["rootdev"]) == ([name], None)
    assert result["logs"][:3] == ["livemedia-out.log", "live.ks", ours]
    assert "root.log" in result["logs"]
    moved = list(Path(farm.hub.topdir).glob(f"scratch/*/task_{child}/*"))
    assert {name, "live.ks", ours} <= {path.name for path in moved}
    assert "5            /HELLO.TXT" in farm.text(child, "manifest.log")
    assert farm.text(child, "anaconda-program.log")
    used = next(path for path in moved if path.name == ours).read_text()
    assert used.startswith(f'repo --name="koji-{TAG}-{farm.repo_id}" --baseurl={farm.hub.topurl}/repos/{TAG}/')
    assert "elsewhere" not in used
    assert farm.ended(bad) == "FAILED"
    fault = farm.fault(site.child(bad, "createLiveMedia"))
    assert "Could not create LiveMedia: livemedia-creator exited with status 3; see root.log or" in fault


def test_volume_id_that_is_too_long(site: Site) -> None:
    """It fails without a root."""
    farm = site.farm
    target = farm.hub.call("getBuildTarget", DEST)
    repo = farm.hub.call("repoInfo", farm.repo_id)
    arguments = [
        "x",
        "1",
        "1",
        "x86_64",
        target,
        target["build_tag"],
        repo,
        "x.ks",
        {"scratch": True, "volid": "v" * 33},
    ]
    task = farm.hub.make_task("createLiveMedia", arguments, arch="x86_64")
    assert farm.ended(task) == "FAILED"
    assert "volume ID is longer than 32 characters" in farm.fault(task)
    assert farm.buildroots(task) == []
