"""The task `distRepo` over several daemons and hosts: children, moves and the end, each once."""

import koji
import pytest

from koji_adjutant.tasks.dist_repo import NewDistRepoTask
from tests.support.task_scene import TASK, Killed, Scene

OPTS = {"event": 5, "arch": ["i686", "x86_64"], "multilib": None}
TEXT = "Dist repository #3 successfully generated"


class Hub:
    """Has dist repo 3."""

    def __init__(self):
        self.state = koji.REPO_INIT
        self.children = {}
        self.uploaded = set()
        self.story = []

    def getTag(self, tag, strict, event):
        return {"id": 1, "name": "tag", "arches": "x86_64"}

    def repoInfo(self, repo_id, strict):
        return {"id": repo_id, "state": self.state}

    def host_subtask(self, *, method, arglist, label, parent, arch):
        assert (method, parent, arch, arglist[2]) == ("createdistrepo", TASK, "noarch", label)
        if label not in self.children:
            self.children[label] = 60 + len(self.children)
            self.uploaded.add(f"tasks/{self.children[label]}/{self.children[label]}")
            self.story.append(f"child {label}")
        return self.children[label]

    def host_taskSetWait(self, task, children):
        self.awaited = children

    def host_taskWait(self, task):
        return [self.awaited, []]

    def host_taskWaitResults(self, task, children, canfail):
        self.story.append("waited")
        return [[child, None] for child in children]

    def checkUpload(self, directory, name):
        assert name == "kojipkgs"
        return {"size": 1} if directory in self.uploaded else None

    def host_distRepoMove(self, repo_id, directory, arch):
        if directory not in self.uploaded:
            raise koji.GenericError("Missing kojipkgs file")
        self.uploaded.remove(directory)
        self.story.append(f"move {arch}")

    def host_repoDone(self, repo_id, data):
        assert self.state == koji.REPO_INIT
        self.state = koji.REPO_READY
        self.story.append("done")


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def scene(tmp_path, hub):
    def make(opts):
        return Scene(tmp_path, NewDistRepoTask, hub, "tag", 3, ["beef"], opts)

    return make


def test_a_dist_repo(scene, hub):
    """All arches side by side; subarches are one arch."""
    assert scene({**OPTS, "arch": ["i686", "i386", "x86_64"]}).task().run() == TEXT
    assert hub.story == ["child i386", "child x86_64", "waited", "move i386", "move x86_64", "done"]


def test_multilib_takes_turns(scene, hub):
    """The 32-bit repo stands at its place before the 64-bit one is begun."""
    scene({**OPTS, "multilib": "cli/x.conf"}).task().run()
    assert hub.story == ["child i386", "waited", "move i386", "child x86_64", "waited", "move x86_64", "done"]


def test_arches_of_the_tag(scene, hub):
    """Without arches of its own the request means the tag's; a tag without any is kojid's error."""
    scene({**OPTS, "arch": []}).task().run()
    assert set(hub.children) == {"x86_64"}
    hub.getTag = lambda tag, strict, event: {"id": 1, "arches": None}
    with pytest.raises(koji.GenericError, match=r"^No arches specified nor for the tag!$"):
        scene({**OPTS, "arch": []}).task().run()


def test_deltas_are_refused(scene, hub):
    """At once, by name, before any child."""
    with pytest.raises(koji.GenericError, match="delta rpms are not supported"):
        scene({**OPTS, "delta": [2]}).task().run()
    assert hub.children == {}


@pytest.mark.parametrize("forgotten", [False, True], ids=["adopted", "begun anew"])
@pytest.mark.parametrize("when", ["die_before", "die_after"])
@pytest.mark.parametrize("call", ["host.subtask", "host.taskWaitResults", "host.distRepoMove", "host.repoDone"])
def test_a_daemon_dies(scene, hub, call, when, forgotten):
    """Nothing is moved twice and nothing is left out."""
    tried = scene({**OPTS, "multilib": "cli/x.conf"})
    with pytest.raises(Killed):
        tried.task(**{when: call}).run()
    if forgotten:
        tried.forget()
    assert tried.task().run() == TEXT
    assert [act for act in hub.story if act != "waited"] == [
        *("child i386", "move i386"),
        *("child x86_64", "move x86_64", "done"),
    ]
