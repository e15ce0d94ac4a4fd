"""The task `build` over several daemons, against a hub that keeps what it is told."""

import errno
from pathlib import Path

import koji
import koji.tasks
import pytest

from koji_adjutant.errors import DiskFull, Interrupted, RuntimeUnavailable, SessionLost
from koji_adjutant.hub.rpm_header import SRPMHeader
from koji_adjutant.tasks import build
from koji_adjutant.tasks.build import BuildTask
from tests.support.task_scene import TASK, Children, Killed, Scene

BUILDING, COMPLETE, FAILED = (koji.BUILD_STATES[state] for state in ("BUILDING", "COMPLETE", "FAILED"))
UPLOAD = "cli-build/1.src.rpm"
SRPM = "tasks/1/101/hello-1-2.src.rpm"


class Hub(Children):
    """Takes builds."""

    def __init__(self):
        super().__init__()
        self.builds = []
        self.moved = 0
        self.policies = []
        self.blocked = False
        self.repo = {
            "id": 9,
            "create_event": 50,
            "tag_id": 2,
            "tag_name": "t-build",
            "state": koji.REPO_STATES["READY"],
        }
        self.results = {
            "srpm": {"srpm": SRPM, "source": {"source": "s", "url": "u"}},
            "x86_64": {"rpms": ["a.rpm"], "srpms": ["a/hello-1-2.src.rpm"], "logs": ["build.log"], "brootid": 7},
            "aarch64": {"rpms": ["b.rpm"], "srpms": [], "logs": [], "brootid": 8},
        }

    def getTaskInfo(self, task, **_):
        return {"id": TASK, "owner": 3}

    def getBuildTarget(self, name, event):
        return {"name": "t", "build_tag": 2, "build_tag_name": "t-build", "dest_tag": 1, "dest_tag_name": "t"}

    def host_assertPolicy(self, name, data):
        self.policies.append(name)

    def getTag(self, tag, **_):
        return {"id": 2, "name": "t-build"}

    def repo_request(self, tag, **_):
        return {"repo": self.repo, "request": None}

    def repoInfo(self, repo_id):
        return self.repo

    def getLastEvent(self):
        return {"id": 60}

    def getBuildConfig(self, tag, event):
        return {"id": 2, "name": "t-build", "arches": "x86_64 aarch64", "extra": {}}

    def getPackageConfig(self, tag, name, event):
        return {"extra_arches": None, "blocked": self.blocked}

    def host_initBuild(self, data):
        for row in self.builds:
            if row["state"] == COMPLETE and not data.get("draft"):
                raise koji.GenericError(f"Build already exists (id={row['build_id']}, state=COMPLETE): {data}")
            if row["state"] == BUILDING and not data.get("draft"):
                return row["build_id"]
        row = {**data, "build_id": 70 + len(self.builds), "state": BUILDING, "nvr": "hello-1-2"}
        self.builds.append(row)
        return row["build_id"]

    def listBuilds(self, taskID):
        return [row for row in self.builds if row["task_id"] == taskID]

    def getBuild(self, build_id, strict):
        return next(row for row in self.builds if row["build_id"] == build_id)

    def host_completeBuild(self, task, build_id, srpm, rpms, brmap, logs):
        row = self.getBuild(build_id, strict=True)
        if row["state"] != BUILDING:
            raise koji.GenericError(f"Unable to complete build: state is {koji.BUILD_STATES[row['state']]}")
        row["state"], row["files"] = COMPLETE, [srpm, *rpms]
        return {"datetimes": object()}

    def host_failBuild(self, task, build_id):
        row = self.getBuild(build_id, strict=True)
        if row["state"] != BUILDING:
            raise koji.GenericError(f"cannot update build {build_id}, state: {row['state']}")
        row["state"] = FAILED

    def host_moveBuildToScratch(self, task, srpm, rpms, logs):
        if self.moved:
            raise koji.GenericError(f"Destination exists: /mnt/koji/scratch/al/task_{task}/{Path(srpm).name}")
        self.moved += 1


@pytest.fixture
def header(monkeypatch, tmp_path):
    """The source package's header, without a source package."""
    package = tmp_path / "package"

    def fetch(task, srpm):
        package.touch()
        return package, SRPMHeader("hello", "1", "2", None, "x86_64", is_source=True, sigmd5=None)

    monkeypatch.setattr(build, "fetch_package", fetch)


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def scene(tmp_path, hub, header):
    """Make the task with its options and, as keywords, those of kojid.conf."""

    def make(opts=None, src=UPLOAD, **options):
        return Scene(tmp_path, BuildTask, hub, src, "t", opts or {}, **options)

    return make


EFFECTS = ("host.subtask", "host.initBuild", "host.completeBuild")


def test_calls_of_a_build(scene, hub):
    """The order of kojid's calls, its arguments, and a tagging at the end."""
    task = scene()
    assert task.run() is None
    assert hub.policies == ["build_from_srpm", "build_rpm"]
    assert list(hub.asked) == ["srpm", "x86_64", "aarch64", "tag"]
    assert hub.asked["srpm"]["arglist"] == [UPLOAD, 2, {"repo_id": 9, "scratch": None}]
    assert hub.asked["x86_64"]["arglist"] == [SRPM, 2, "x86_64", True, {"repo_id": 9}]
    assert hub.asked["aarch64"]["arglist"] == [SRPM, 2, "aarch64", False, {"repo_id": 9}]
    assert hub.asked["tag"]["arglist"] == [1, 70, False, None, True]
    assert [asked["arch"] for asked in hub.asked.values()] == ["noarch", "x86_64", "aarch64", "noarch"]
    assert hub.builds[0]["files"] == ["a/hello-1-2.src.rpm", "a.rpm", "b.rpm"]
    assert hub.builds[0]["source"] == "s"
    effects = [name for name in task.session.names() if name in EFFECTS]
    assert effects == [EFFECTS[0], EFFECTS[1], EFFECTS[0], EFFECTS[0], EFFECTS[2], EFFECTS[0]]


def test_source_from_scm(scene, hub):
    """A URL is checked out by a child of another kind."""
    scene(src="git+https://example.com/hello#abc").run()
    assert hub.asked["srpm"]["method"] == "buildSRPMFromSCM"
    assert hub.policies == ["build_rpm"]


def test_scratch(scene, hub):
    """A scratch build is neither registered nor tagged."""
    scene({"scratch": True}).run()
    assert hub.moved == 1
    assert hub.builds == []
    assert "tag" not in hub.asked


def test_upload_that_is_not_rebuilt(scene, hub):
    """A scratch build may be made of the upload as it is."""
    scene({"scratch": True, "rebuild_srpm": False}).run()
    assert hub.asked["x86_64"]["arglist"][0] == UPLOAD
    assert "srpm" not in hub.asked


def test_repo_of_the_users_choice(scene, hub):
    """No repo is asked for, and tags are read at that repo's event."""
    task = scene({"repo_id": 9, "skip_tag": True})
    task.run()
    assert hub.policies == ["build_from_srpm", "build_from_repo_id", "build_rpm"]
    assert "repo.request" not in task.session.names()
    assert [opts["event"] for name, _, opts in task.session.calls if name == "getPackageConfig"] == [50]
    assert "tag" not in hub.asked


def test_repo_is_waited_for(scene, hub):
    """Without a repo a child waits for one, found again by its label."""
    hub.results["waitrepo"] = hub.repo
    hub.repo_request = lambda tag, **_: {"repo": None, "request": {"min_event": 45}}
    scene().run()
    assert hub.asked["waitrepo"]["arglist"] == ["t-build", None, [], 45]
    assert hub.asked["x86_64"]["arglist"][4] == {"repo_id": 9}


def test_failed_child_fails_build_and_task(scene, hub):
    """The parent fails with the child's fault, the build is marked, nothing is tagged."""
    hub.results["aarch64"] = koji.BuildError("error building package (arch aarch64), ...")
    with pytest.raises(koji.BuildError, match=r"^error building package \(arch aarch64\)"):
        scene().run()
    assert hub.builds[0]["state"] == FAILED
    assert "tag" not in hub.asked


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "no space"),
        DiskFull("no space left"),
        RuntimeUnavailable("away"),
        koji.tasks.RefuseTask("not here"),
        SessionLost("lost"),
    ],
)
def test_task_that_goes_on_elsewhere_fails_no_build(scene, hub, error):
    """Given back or taken up by another daemon: that run finds the build and completes it."""
    task = scene()
    hub.host_completeBuild = lambda *_, **__: (_ for _ in ()).throw(error)
    with pytest.raises(type(error)):
        task.run()
    assert [row["state"] for row in hub.builds] == [BUILDING]
    del hub.host_completeBuild
    task.forget()
    task.run()
    assert [row["state"] for row in hub.builds] == [COMPLETE]


def test_task_that_is_given_up_fails_its_build(scene, hub):
    """The verdict policy made a failure of what would have been given back."""
    hub.host_completeBuild = lambda *_, **__: (_ for _ in ()).throw(DiskFull("no space left"))
    task = scene().task()
    with pytest.raises(DiskFull):
        task.run()
    task.context.given_up()
    task.context.journal.close()
    assert [row["state"] for row in hub.builds] == [FAILED]


@pytest.mark.parametrize(
    ("opts", "can_fail", "cancels"), [({}, False, 1), ({}, True, 0), ({"fail_fast": True}, True, 1)]
)
def test_one_failure_ends_the_others(scene, hub, opts, can_fail, cancels):
    """At once, unless kojid.conf says that arches may fail and the user does not want it fast."""
    hub.results["x86_64"] = koji.BuildError("bad")
    waited = iter([[[100], []], [[101], [102]], [[102], []]])
    hub.host_taskWait = lambda task: next(waited)
    task = scene(opts, build_arch_can_fail=can_fail)
    handler = task.task()
    handler.context.wake.clear = lambda: None
    handler.context.wake.set()
    with pytest.raises(koji.BuildError, match=r"^bad$"):
        handler.run()
    assert task.session.names().count("cancelTaskChildren") == cancels


def test_blocked_package(scene, hub):
    """A package that the destination has blocked is not built, but for a scratch build."""
    hub.blocked = True
    with pytest.raises(koji.BuildError, match="package hello is blocked for tag t"):
        scene().run()
    assert hub.builds == []
    scene({"scratch": True}).run()


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("side", ["die_before", "die_after"])
@pytest.mark.parametrize("call", ["repo.request", "host.initBuild", "host.taskWaitResults", "host.completeBuild"])
def test_daemon_dies_at_a_call(scene, hub, call, side, lost):
    """Whatever the last call of the first daemon: there is one build, complete, with one child of each kind.

    `lost`: the task is begun anew without a journal.
    """
    task = scene()
    with pytest.raises((Killed, Interrupted)):
        task.run(**{side: call})
    if lost:
        task.forget()
    task.run()
    assert [row["state"] for row in hub.builds] == [COMPLETE]
    assert list(hub.children) == ["srpm", "x86_64", "aarch64", "tag"]
    assert hub.asked["tag"]["arglist"][1] == 70


@pytest.mark.parametrize("lost", [False, True])
def test_draft_is_made_once(scene, hub, lost):
    """Each initBuild of a draft makes another build, so the task looks for its own first."""
    task = scene({"draft": True})
    with pytest.raises((Killed, Interrupted)):
        task.run(die_after="host.initBuild")
    if lost:
        task.forget()
    task.run()
    assert [row["state"] for row in hub.builds] == [COMPLETE]


@pytest.mark.parametrize("lost", [False, True])
def test_scratch_files_are_moved_once(scene, hub, lost):
    """The hub refuses to move twice; a move that is found done is as good."""
    task = scene({"scratch": True})
    with pytest.raises((Killed, Interrupted)):
        task.run(die_after="host.moveBuildToScratch")
    if lost:
        task.forget()
    task.run()
    assert hub.moved == 1


def test_failure_is_told_once(scene, hub):
    """A daemon that dies after failBuild leaves the child's fault to the next, not one about the build's state."""
    hub.results["x86_64"] = koji.BuildError("bad")
    task = scene()
    with pytest.raises((Killed, Interrupted)):
        task.run(die_after="host.failBuild")
    with pytest.raises(koji.BuildError, match=r"^bad$"):
        task.run()


def test_build_of_another_task(scene, hub):
    """What somebody else has built is no build of ours."""
    hub.builds.append({"name": "hello", "task_id": 1, "build_id": 5, "state": COMPLETE})
    with pytest.raises(koji.GenericError, match=r"^Build already exists \(id=5"):
        scene().run()
