"""The build that a wrapperRPM makes: failed where the task fails and only there, tagged also after an earlier run's import."""

import contextlib
from types import SimpleNamespace

import koji
import pytest

from koji_adjutant.errors import (
    CopyError,
    ImageError,
    Interrupted,
    JournalError,
    OutOfMemory,
    SessionLost,
    TaskCancelled,
)
from koji_adjutant.tasks import buildroot_task, given_back, wrapper_build, wrapper_rpm
from koji_adjutant.tasks.build_record import BuildRecord
from koji_adjutant.tasks.buildroot_record import RepoTag
from koji_adjutant.tasks.wrapper_build import WrapperBuild, WrapperRequest
from koji_adjutant.tasks.wrapper_rpm import WrapperRPMTask
from tests.support.task_scene import TASK, Children, Killed, Scene

BUILDING, COMPLETE, FAILED = (koji.BUILD_STATES[state] for state in ("BUILDING", "COMPLETE", "FAILED"))
TAG = {"id": 2, "name": "f-build", "arches": "x86_64"}
REPO = {"id": 5, "create_event": 50, "tag_id": 2, "tag_name": "f-build", "state": koji.REPO_STATES["READY"]}
TARGET = {"build_tag": 2, "dest_tag": 3}
OPTS = {"repo_id": 5, "create_build": True}
RESULT = {"buildroot_id": 7, "srpm": "w-1-1.src.rpm", "rpms": ["w-1-1.noarch.rpm"], "logs": ["w.spec"]}


class Hub(Children):
    """Keeps one build."""

    def __init__(self):
        super().__init__()
        self.state = None

    def getTag(self, *_, **__):
        return TAG

    def repoInfo(self, *_, **__):
        return REPO

    def host_getHost(self):
        return {"id": 1, "name": "builder1", "arches": "x86_64"}

    def host_newBuildRoot(self, *_, **__):
        return 7

    def host_setBuildRootState(self, *_):
        pass

    def host_initBuild(self, data):
        if self.state == COMPLETE:
            raise koji.GenericError("Build already exists (id=70, state=COMPLETE)")
        self.state = BUILDING
        return 70

    def listBuilds(self, taskID):
        return [] if self.state is None else [{"build_id": 70, "name": "w", "state": self.state}]

    def getBuild(self, *_, **__):
        return {"state": self.state}

    def listBuildRPMs(self, build):
        return [{"nvr": "w-1-1", "arch": "src"}, {"nvr": "w-1-1", "arch": "noarch"}]

    def host_completeBuild(self, *_, **__):
        if self.state != BUILDING:
            raise koji.GenericError("Unable to complete build")
        self.state = COMPLETE

    def host_failBuild(self, *_):
        if self.state != BUILDING:
            raise koji.GenericError("cannot update build")
        self.state = FAILED


class Work:
    """Writes the source package, once in a journal; raises what the test wants after it."""

    def __init__(self, task, *_args):
        self.task, self.request = task, _args[-1]

    def run(self):
        begun = self.request.begun
        self.task.context.journal.remember("srpm", lambda: begun.begin({"name": "w"}))
        if Work.error is not None:
            raise Work.error
        return RESULT


@pytest.fixture
def scene(monkeypatch, tmp_path):
    logs = SimpleNamespace(write=lambda *_: None)
    replaced = {
        "TaskLogs": lambda _: contextlib.nullcontext(logs),
        "mock_config": lambda *_, **__: "",
        "repo_tag": lambda *_: RepoTag(REPO, TAG),
        "assert_source_allowed": lambda *_, **__: SimpleNamespace(),
        "find_wrapped": lambda *_: None,
        "keep_failed_root": lambda *_: None,
        "WrapperBuild": Work,
    }
    for module in (wrapper_rpm, buildroot_task):
        for name in replaced.keys() & vars(module).keys():
            monkeypatch.setattr(module, name, replaced[name])
    monkeypatch.setattr(Work, "error", None, raising=False)
    monkeypatch.setattr(WrapperRPMTask, "find_arch", lambda *_: "x86_64")
    hub = Hub()
    hub.results["tag"] = None
    return Scene(tmp_path, WrapperRPMTask, hub, "git://h/r#1", TARGET, {"id": 8}, None, OPTS)


FATAL = [koji.BuildError("no"), OutOfMemory("oom"), CopyError("large", reason="too-large")]
GOES_ON = [ImageError("none"), SessionLost("lost"), JournalError("disk"), TaskCancelled("gone"), SystemExit()]


@pytest.mark.parametrize("error", [*FATAL, *GOES_ON])
@pytest.mark.parametrize("adopted", [False, True])
def test_build_fails_with_its_task(scene, monkeypatch, error, adopted):
    """Also where the daemon that began it is dead; not where the task is given back, goes on or was taken away."""
    if adopted:
        monkeypatch.setattr(Work, "error", Killed())
        task = scene.task()
        monkeypatch.setattr(given_back, "ANOTHER_RUN", (Killed, *given_back.ANOTHER_RUN))
        with pytest.raises(Killed):
            task.run()
        task.context.journal.close()
    monkeypatch.setattr(Work, "error", error)
    with pytest.raises(type(error)):
        scene.run()
    assert scene.hub.state == (FAILED if error in FATAL else BUILDING)


def test_failure_before_the_build_began(scene, monkeypatch):
    """There is nothing to fail."""
    monkeypatch.setattr(Work, "run", lambda _: (_ for _ in ()).throw(koji.BuildError("no spec")))
    with pytest.raises(koji.BuildError, match=r"^no spec$"):
        scene.run()
    assert scene.hub.state is None


def test_build_is_completed_and_tagged(scene):
    """As `build` does."""
    scene.run()
    assert scene.hub.state == COMPLETE
    assert scene.hub.asked["tag"]["arglist"] == [3, 70, False, None, True]


def test_task_begun_anew_after_the_import_tags(scene):
    """The build is not imported a second time."""
    with pytest.raises((Killed, Interrupted)):
        scene.run(die_after="host.completeBuild")
    scene.forget()
    scene.run()
    assert "host.completeBuild" not in scene.session.names()
    assert scene.hub.asked["tag"]["arglist"] == [3, 70, False, None, True]


@pytest.mark.parametrize("error", [SessionLost("lost"), JournalError("disk"), SystemExit()])
def test_import_that_goes_on(scene, error):
    """What ends this run does not fail the build."""

    def complete(*_, **__):
        raise error

    scene.hub.host_completeBuild = complete
    with pytest.raises(type(error)):
        scene.run()
    assert scene.hub.state == BUILDING


def test_completed_build_is_not_built_again(scene, monkeypatch, tmp_path):
    """Its packages are those that the hub has."""
    scene.hub.state = COMPLETE
    task = scene.task()
    checkout = SimpleNamespace(source={"source": "s", "url": "u"})
    begun = BuildRecord(task)
    begun.begin({"name": "w", "task_id": TASK})
    monkeypatch.setattr(wrapper_build, "RootWork", lambda *_: None)
    monkeypatch.setattr(wrapper_build, "checkout_source", lambda *_, **__: checkout)
    monkeypatch.setattr(WrapperBuild, "_with_spec", lambda *_: (checkout, "d/w.spec"))
    monkeypatch.setattr(WrapperBuild, "_source_package", lambda *_: "w-1-1.src.rpm")
    request = WrapperRequest(None, None, TARGET, OPTS, BuildRecord(task))
    opened = SimpleNamespace(plan=SimpleNamespace(repo=SimpleNamespace(config=TAG)))
    result = WrapperBuild(task, None, SimpleNamespace(id=7), None, "x86_64", request)._do(opened)
    assert result == {**RESULT, "source": checkout.source}
