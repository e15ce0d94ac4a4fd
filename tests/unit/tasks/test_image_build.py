"""Parents of image builds over several daemons, against a hub that keeps what it is told."""

from contextlib import suppress

import koji
import pytest

from koji_adjutant.errors import DiskFull, Interrupted
from koji_adjutant.tasks.image_build import tag_arches
from koji_adjutant.tasks.live_media_build import LiveMediaBuildTask
from tests.support.task_scene import TASK, Children, Killed, Scene

BUILDING, COMPLETE, FAILED = (koji.BUILD_STATES[state] for state in ("BUILDING", "COMPLETE", "FAILED"))
TARGET = {"name": "t", "build_tag": 2, "build_tag_name": "t-build", "dest_tag": 1, "dest_tag_name": "t"}
REPO = {"id": 9, "create_event": 50, "tag_id": 2, "tag_name": "t-build", "state": koji.REPO_STATES["READY"]}
FAULT = {"faultCode": 1019, "faultString": "Could not create LiveMedia"}


class Hub(Children):
    """Takes image builds."""

    def __init__(self):
        super().__init__()
        self.builds = []
        self.moved = []
        self.listed = {"blocked": False}
        self.results = {"livemedia x86_64": {"files": ["a.iso"], "task_id": 100}}

    def getBuildTarget(self, *_, **__):
        return TARGET

    def getTag(self, *_, **__):
        return {"id": 2, "name": "t-build"}

    def repo_request(self, *_, **__):
        return {"repo": REPO, "request": None}

    def getBuildConfig(self, tag):
        return {"id": 2, "name": "t-build", "arches": "x86_64 aarch64"}

    def getPackageConfig(self, tag, name):
        return self.listed

    def getTaskInfo(self, task):
        return {"id": task}

    def getNextRelease(self, data):
        return "7"

    def listBuilds(self, taskID):
        return [row for row in self.builds if row["task_id"] == taskID]

    def getBuild(self, build_id, strict):
        return next(row for row in self.builds if row["build_id"] == build_id)

    def host_initImageBuild(self, task, data):
        number = 70 + len(self.builds)
        release = data["release"] or str(1 + len(self.builds))
        row = {**data, "release": release, "task_id": task, "id": number, "build_id": number, "state": BUILDING}
        self.builds.append({**row, "volume_name": "DEFAULT"})
        return row

    def host_completeImageBuild(self, task, build_id, results):
        row = self.getBuild(build_id, strict=True)
        assert row["state"] == BUILDING
        row["state"], row["results"] = COMPLETE, results

    def host_failBuild(self, task, build_id):
        self.getBuild(build_id, strict=True)["state"] = FAILED

    def host_moveImageBuildToScratch(self, task, results):
        if self.moved:
            raise koji.GenericError("Destination exists: /mnt/koji/scratch/al/task_100/a.iso")
        self.moved.append(results)


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def scene(tmp_path, hub):
    """Make the task with its options; `arches` are those asked for."""

    def make(opts=None, arches=("x86_64",)):
        return Scene(tmp_path, LiveMediaBuildTask, hub, "live", "1", list(arches), "t", "x.ks", opts or {})

    return make


def test_build(scene, hub):
    """A child for each arch, its result imported under its id as text, the build tagged."""
    said = scene().run()
    assert said == "livecd build results in: /mnt/koji/packages/live/1/1/images"
    child = hub.asked["livemedia x86_64"]
    assert (child["method"], child["arch"], child["parent"]) == ("createLiveMedia", "x86_64", TASK)
    assert child["arglist"] == ["live", "1", "1", "x86_64", TARGET, 2, REPO, "x.ks", {}]
    assert hub.builds[0]["results"] == {"100": hub.results["livemedia x86_64"]}
    assert hub.asked["tag"]["arglist"] == [1, 70, False, None, True]


def test_scratch(scene, hub):
    """Neither registered nor tagged; without a release the next one is taken."""
    said = scene({"scratch": True}).run()
    assert said == "Scratch livecd build results in: /mnt/koji/work/tasks/100/100"
    assert hub.asked["livemedia x86_64"]["arglist"][2] == "7"
    assert hub.builds == []
    assert len(hub.moved) == 1
    assert "tag" not in hub.asked


def test_wrapper(scene, hub):
    """A package around each image, its result in the image's."""
    hub.results["wrapper x86_64"] = {"rpms": ["w.rpm"]}
    scene({"specfile": "git://h/r#1"}).run()
    build = hub.builds[0]
    asked = hub.asked["wrapper x86_64"]["arglist"]
    assert asked[:2] == ["git://h/r#1", TARGET]
    assert (asked[2]["id"], asked[3:]) == (70, [{"id": 100}, {"repo_id": 9}])
    assert build["results"]["100"]["rpmresults"] == {"rpms": ["w.rpm"], "task_id": 101}


def test_optional_arch_may_fail(scene, hub):
    """As long as another one does not."""
    hub.results["livemedia aarch64"] = FAULT
    task = scene({"optional_arches": ["aarch64"], "specfile": "git://h/r#1"}, arches=("x86_64", "aarch64"))
    hub.results["wrapper x86_64"] = {}
    task.run()
    assert hub.builds[0]["state"] == COMPLETE
    assert "wrapper aarch64" not in hub.asked


def test_all_failed(scene, hub):
    """Kojid's text, and the build failed."""
    hub.results["livemedia x86_64"] = FAULT
    with pytest.raises(koji.GenericError, match=r"^all subtasks failed$"):
        scene({"optional_arches": ["x86_64"]}).run()
    assert hub.builds[0]["state"] == FAILED


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (None, r"^package \(image\) live not in list for tag t$"),
        ({"blocked": True}, r"^package \(image\)  live is blocked"),
    ],
)
def test_package_list(scene, hub, listed, why):
    """Of the destination, in kojid's words."""
    hub.listed = listed
    with pytest.raises(koji.BuildError, match=why):
        scene().run()


def test_task_that_is_given_back_fails_no_build(scene, hub):
    """Another run goes on with it."""
    hub.host_completeImageBuild = lambda *_: (_ for _ in ()).throw(DiskFull("no space left"))
    with pytest.raises(DiskFull):
        scene().run()
    assert hub.builds[0]["state"] == BUILDING


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("side", ["die_before", "die_after"])
@pytest.mark.parametrize("call", ["host.initImageBuild", "host.taskWaitResults", "host.completeImageBuild"])
def test_daemon_dies_at_a_call(scene, hub, call, side, lost):
    """There is one build, complete and tagged, whether the journal is there (adopted) or lost (begun anew)."""
    task = scene()
    with suppress(Killed, Interrupted):
        task.run(**{side: call})
    if lost:
        task.forget()
    task.run()
    assert [row["state"] for row in hub.builds] == [COMPLETE]
    assert hub.asked["tag"]["arglist"][1] == 70
    assert list(hub.children) == ["livemedia x86_64", "tag"]


def test_scratch_files_are_moved_once(scene, hub):
    """A move that is found done is as good."""
    task = scene({"scratch": True})
    with suppress(Killed, Interrupted):
        task.run(die_after="host.moveImageBuildToScratch")
    task.forget()
    task.run()
    assert len(hub.moved) == 1


@pytest.mark.parametrize(
    ("arches", "asked", "found"),
    [("x86_64 i686", ["i686", "i686"], ["i686"]), ("x86_64 i686", None, ["x86_64", "i386"])],
)
def test_arches(arches, asked, found):
    """Those asked for, each once, or all of the tag."""
    assert tag_arches({"arches": arches, "name": "t", "id": 2}, asked) == found


@pytest.mark.parametrize(
    ("arches", "asked", "why"),
    [("", ["x86_64"], r"^No arches for tag t \[2\]$"), ("x86_64", ["s390x"], r"^Invalid arch for build tag: s390x$")],
)
def test_arches_that_cannot_be(arches, asked, why):
    """In kojid's words."""
    with pytest.raises(koji.BuildError, match=why):
        tag_arches({"arches": arches, "name": "t", "id": 2}, asked)
