"""Builds of Maven and of images: what is no rpm (contract 4.4, 4.6, 7.4)."""

import secrets
from pathlib import Path

import koji
import pytest
import requests

POM = """<?xml version="1.0"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group_id}</groupId><artifactId>{artifact_id}</artifactId><version>{version}</version>
</project>
"""


class Maven:
    """A group of its own, and builds of one artifact."""

    def __init__(self, desk):
        self.desk, self.admin, self.host = desk, desk.admin, desk.host
        name = f"maven-{secrets.token_hex(4)}"
        self.name, self.info = name, {"group_id": f"org.{name}", "artifact_id": name, "version": "1.0"}
        self.relative = f"org/{name}/{name}/1.0"
        for tag in (desk.dest, desk.build_tag):
            self.admin.packageListAdd(tag, name, owner=desk.hub.admin_credentials.user)

    def begin(self):
        task = int(self.desk.builder.open_task("maven", ["git://x#1", self.desk.target, {}]))
        return task, self.host.initMavenBuild(task, {"name": self.name, "version": "1.0", "epoch": None}, self.info)

    def upload(self, task, name, data):
        directory = f"{koji.pathinfo.taskrelpath(task)}/{self.relative}"
        self.desk.builder.session.rawUpload(data, 0, path=directory, name=name, overwrite=True)

    def results(self, task, files=None, pom=None):
        """Upload files; what buildMaven answers."""
        content = {f"{self.name}-1.0.jar": b"jar", f"{self.name}-1.0.pom": (pom or POM).format_map(self.info).encode()}
        for name, data in (files or content).items():
            self.upload(task, name, data)
        log = self.desk.upload(task, Path("build.log"), data=b"x")
        return {
            "task_id": task, "buildroot_id": None, "logs": [log.rsplit("/", 1)[1]],
            "files": {self.relative: sorted(files or content)}, "maven_info": self.info,
        }  # fmt: skip

    def build(self):
        task, build = self.begin()
        self.host.completeMavenBuild(task, build["id"], self.results(task), None)
        return task, build


@pytest.fixture
def maven(desk):
    if not desk.admin.mavenEnabled():
        pytest.skip("not here: that hub has no Maven")
    return Maven(desk)


def test_maven_build(maven, hub):
    """Artifacts are where Maven looks for them, with their sums; the next build has the next release."""
    _task, build = maven.build()
    assert build["release"] == "1"
    found = maven.admin.getMavenBuild(build["id"])
    assert found == maven.info | {"build_id": build["id"]}
    assert maven.admin.getBuildType(build["id"])["maven"]["artifact_id"] == maven.name
    rows = {row["filename"]: row for row in maven.admin.listArchives(buildID=build["id"], type="maven")}
    assert set(rows) == {f"{maven.name}-1.0.jar", f"{maven.name}-1.0.pom"}
    jar = rows[f"{maven.name}-1.0.jar"]
    assert (jar["size"], jar["type_name"], jar["group_id"], jar["btype"]) == (3, "jar", maven.info["group_id"], "maven")
    base = f"{hub.topurl}/packages/{maven.name}/1.0/1"
    assert requests.get(f"{base}/maven/{maven.relative}/{jar['filename']}", timeout=120).content == b"jar"
    assert requests.get(f"{base}/maven/{maven.relative}/{jar['filename']}.sha1", timeout=120).status_code == 200
    assert [log["dir"] for log in maven.admin.getBuildLogs(build["id"])] == ["maven"]
    assert maven.begin()[1]["release"] == "2"


def test_pom_that_says_something_else(maven):
    """It must be named after what it says."""
    task, build = maven.begin()
    results = maven.results(task, pom=POM.replace("{version}", "2.0"))
    with pytest.raises(koji.BuildError, match="is not consistent with pom filename"):
        maven.host.completeMavenBuild(task, build["id"], results, None)


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({"a.pom": b"", "b.pom": b""}, r"multiple \.pom files in org/"),
        ({"a.unheard-of": b""}, r"unsupported file type: a\.unheard-of"),
    ],
)
def test_files_that_are_refused(maven, files, match):
    """Each is told why."""
    task, build = maven.begin()
    with pytest.raises(koji.BuildError, match=match):
        maven.host.completeMavenBuild(task, build["id"], maven.results(task, files), None)


def test_maven_scratch(maven, hub):
    """Artifacts and logs go below scratch/."""
    task = int(maven.desk.builder.open_task("maven", ["git://x#1", maven.desk.target, {"scratch": True}]))
    maven.host.moveMavenBuildToScratch(task, maven.results(task), None)
    base = f"{hub.topurl}/scratch/{hub.admin_credentials.user}/task_{task}"
    assert requests.get(f"{base}/{maven.relative}/{maven.name}-1.0.jar", timeout=120).content == b"jar"
    assert requests.get(f"{base}/build.log", timeout=120).status_code == 200


def test_maven_part_of_a_repo(maven, hub):
    """A repo of a tag with Maven has the artifacts, and metadata that lists their versions."""
    desk = maven.desk
    desk.admin.editTag2(desk.build_tag, maven_support=True)
    task, build = maven.build()
    desk.host.tagBuild(task, desk.build_tag, build["id"])
    assert [row["filename"] for row in desk.admin.getLatestMavenArchives(desk.build_tag)] != []
    repo, _event = desk.host.repoInit(desk.build_tag)
    base = f"{hub.topurl}/repos/{desk.build_tag}/{repo}/maven"
    assert requests.get(f"{base}/{maven.relative}/{maven.name}-1.0.jar", timeout=120).content == b"jar"
    metadata = requests.get(f"{base}/org/{maven.name}/{maven.name}/maven-metadata.xml", timeout=120).text
    assert "<version>1.0</version>" in metadata


def test_maven_in_a_buildroot(maven):
    """Of the repo's tag, or to be ignored; anything else is refused."""
    desk = maven.desk
    task, build = maven.build()
    desk.host.tagBuild(task, desk.build_tag, build["id"])
    repo, _event = desk.host.repoInit(desk.build_tag)
    holder = desk.task()
    root = desk.host.newBuildRoot(repo, "x86_64", task_id=holder)
    desk.host.setBuildRootState(root, "BUILDING")
    jar = {"path": maven.relative, "filename": f"{maven.name}-1.0.jar", "size": 3}
    entry = {"maven_info": maven.info, "files": [jar]}
    desk.host.updateMavenBuildRootList(root, holder, [entry], project=True)
    (row,) = desk.admin.listArchives(componentBuildrootID=root)
    assert (row["filename"], row["project"]) == (jar["filename"], True)
    wrong = {"maven_info": maven.info, "files": [jar | {"size": 4}]}
    with pytest.raises(koji.BuildrootError, match=rf"No such file in build environment: {maven.relative}/.*, size: 4"):
        desk.host.updateMavenBuildRootList(root, holder, [wrong])
    desk.host.updateMavenBuildRootList(root, holder, [wrong], ignore=[wrong])
    desk.host.updateMavenBuildRootList(root, holder, [wrong], ignore_unknown=True)


@pytest.fixture
def image(desk):
    """An image build that was begun: its task, its data."""
    name = desk.tag().replace("tag", "image")
    desk.admin.packageListAdd(desk.dest, name, owner=desk.hub.admin_credentials.user)
    task = int(desk.builder.open_task("image", [name, "1.0", ["x86_64"], desk.target, "http://x", {}]))
    return task, desk.host.initImageBuild(task, {"name": name, "version": "1.0", "release": None, "epoch": 0})


def image_results(desk, task, name, rpmlist=()):
    """What createImage answers, with its files in place."""
    for shown, data in ((name, b"disk"), ("oz-x86_64.log", b"x"), ("more.log", b"x")):
        desk.upload(task, Path(shown), data=data)
    return {
        "1": {"task_id": task, "arch": "x86_64", "files": [name], "logs": ["oz-x86_64.log"], "rpmlist": list(rpmlist)},
        "2": {"faultCode": 1, "faultString": "no"},
    }  # fmt: skip


def test_image_build(desk, image, hub):
    """The image, every log of its task, and the packages in it."""
    task, build = image
    assert build["release"] == "1"
    external = hub.external_repo()
    entry = {
        "name": "a", "version": "1", "release": "1", "arch": "noarch", "epoch": None, "size": 1, "buildtime": 1,
        "payloadhash": secrets.token_hex(16), "location": external,
    }  # fmt: skip
    desk.host.completeImageBuild(task, build["id"], image_results(desk, task, "disk.qcow2", [entry]))
    assert koji.BUILD_STATES[desk.admin.getBuild(build["id"])["state"]] == "COMPLETE"
    assert desk.admin.getImageBuild(build["id"]) == {"build_id": build["id"]}
    (row,) = desk.admin.listArchives(buildID=build["id"], type="image")
    assert (row["filename"], row["arch"], row["type_name"]) == ("disk.qcow2", "x86_64", "qcow2")
    assert [rpm["name"] for rpm in desk.admin.listRPMs(imageID=row["id"])] == ["a"]
    base = f"{hub.topurl}/packages/{build['name']}/1.0/1"
    assert requests.get(f"{base}/images/disk.qcow2", timeout=120).content == b"disk"
    assert {log["name"] for log in desk.admin.getBuildLogs(build["id"])} == {"oz-x86_64.log", "more.log"}


def test_image_of_an_unknown_kind(desk, image):
    """It is named."""
    task, build = image
    with pytest.raises(koji.BuildError, match=r"Unsupported file type: disk\.unheard-of"):
        desk.host.completeImageBuild(task, build["id"], image_results(desk, task, "disk.unheard-of"))


def test_image_with_an_unknown_package(desk, image):
    """Only what the hub knows can be in it."""
    task, build = image
    stranger = {"name": "x", "version": "1", "release": "1", "arch": "noarch"}
    with pytest.raises(koji.GenericError, match="No such rpm: "):
        desk.host.completeImageBuild(task, build["id"], image_results(desk, task, "disk.qcow2", [stranger]))


def test_image_scratch(desk, image, hub):
    """Below scratch/, by the task that made it."""
    task, _build = image
    desk.host.moveImageBuildToScratch(task, image_results(desk, task, "disk.qcow2"))
    base = f"{hub.topurl}/scratch/{hub.admin_credentials.user}/task_{task}"
    assert requests.get(f"{base}/disk.qcow2", timeout=120).content == b"disk"


def test_who_may_ask_for_images(desk, hub):
    """The permission of the kind."""
    session = hub.session(hub.user())
    for kind in ("livecd", "appliance", "livemedia"):
        with pytest.raises(koji.ActionNotAllowed, match=f"{kind} permission required"):
            session.buildImage("n", "1", "x86_64", desk.target, "x.ks", kind)
    with pytest.raises(koji.ActionNotAllowed, match="image permission required"):
        session.buildImageOz("n", "1", ["x86_64"], desk.target, "http://x")
    task = desk.admin.buildImageOz("n", "1", ["x86_64"], desk.target, "http://x", {})
    hub.tasks.append(task)
    info = desk.admin.getTaskInfo(task, request=True)
    assert (info["method"], info["request"]) == ("image", ["n", "1", ["x86_64"], desk.target, "http://x", {}])
    assert desk.admin.getChannel(info["channel_id"])["name"] == "image"


def test_kinds_of_files(hub):
    """By the longest extension."""
    assert hub.admin.getArchiveType("a.tar.gz")["name"] == "tar"
    assert hub.admin.getArchiveType("A.JAR")["name"] == "jar"
    assert hub.admin.getArchiveType("a.unheard-of") is None
    with pytest.raises(koji.GenericError, match=r"unsupported file extension: a\.unheard-of"):
        hub.admin.getArchiveType("a.unheard-of", strict=True)
