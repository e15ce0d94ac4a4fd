"""The task `chainbuild`."""

import koji
import pytest

from koji_adjutant.errors import Interrupted
from koji_adjutant.tasks.chain_build import ChainBuildTask
from tests.support.task_scene import Children, Killed, Scene

A, B, C = (f"git+https://example.com/{name}#1" for name in "abc")


class Hub(Children):
    """Builds what it is told."""

    def getBuildTarget(self, target):
        return {"build_tag_name": "t-build"} if target == "t" else None

    def listBuilds(self, taskID):
        label = next(label for label, child in self.children.items() if child == taskID)
        return [{"nvr": f"{label.replace(' ', '-').replace(',', '-')}-1"}]


@pytest.fixture
def hub():
    return Hub()


def test_levels(tmp_path, hub):
    """Each level waits for the builds of the one before it, and for those that it names."""
    Scene(tmp_path, ChainBuildTask, hub, [[A, B], ["other-1-1"], [C]], "t", {"draft": True}).run()
    assert [(label, asked["method"], asked["arglist"]) for label, asked in hub.asked.items()] == [
        ("build 0,0", "build", [A, "t", {"draft": True}]),
        ("build 0,1", "build", [B, "t", {"draft": True}]),
        ("wait 1", "waitrepo", ["t-build", None, ["build-0-0-1", "build-0-1-1"]]),
        ("wait 2", "waitrepo", ["t-build", None, ["other-1-1"]]),
        ("build 2,0", "build", [C, "t", {"draft": True}]),
    ]


def test_without_options(tmp_path, hub):
    """Options may be left out."""
    Scene(tmp_path, ChainBuildTask, hub, [[A]], "t").run()
    assert hub.asked["build 0,0"]["arglist"] == [A, "t", None]


@pytest.mark.parametrize(
    ("target", "opts", "error", "text"),
    [
        ("t", {"scratch": True}, koji.BuildError, "--scratch is not allowed with chain-builds"),
        ("x", {}, koji.GenericError, "unknown build target: x"),
    ],
)
def test_refusals(tmp_path, hub, target, opts, error, text):
    """In kojid's words."""
    with pytest.raises(error, match=f"^{text}$"):
        Scene(tmp_path, ChainBuildTask, hub, [[A]], target, opts).run()


def test_failing_level_ends_the_chain(tmp_path, hub):
    """What comes after it is not begun."""
    hub.results["build 0,0"] = koji.BuildError("bad")
    with pytest.raises(koji.BuildError, match=r"^bad$"):
        Scene(tmp_path, ChainBuildTask, hub, [[A], [B]], "t", {}).run()
    assert list(hub.asked) == ["build 0,0"]


@pytest.mark.parametrize("lost", [False, True])
def test_daemon_dies_between_levels(tmp_path, hub, lost):
    """Nothing is built twice."""
    task = Scene(tmp_path, ChainBuildTask, hub, [[A], [B]], "t", {})
    with pytest.raises((Killed, Interrupted)):
        task.run(die_after="listBuilds")
    if lost:
        task.forget()
    task.run()
    assert list(hub.children) == ["build 0,0", "wait 1", "build 1,0"]
