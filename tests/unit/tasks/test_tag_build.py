"""The task `tagBuild` over several daemons."""

import koji
import pytest

from koji_adjutant.errors import Interrupted
from koji_adjutant.tasks.tag_build import TagBuildTask
from tests.support.task_scene import TASK, Killed, Scene

BUILD = {"id": 7, "name": "hello"}


class Hub:
    """Has one build and its tags."""

    def __init__(self):
        self.tagged = {}
        """Tag id -> (who, when)."""
        self.told = []
        self.now = 200.0

    def getTaskInfo(self, task):
        return {"id": TASK, "owner": 3, "create_ts": 100.0}

    def getBuild(self, build, strict):
        return BUILD

    def getTag(self, tag, strict):
        return {"id": tag, "name": f"tag-{tag}"}

    def host_tagBuild(self, task, tag, build, *, force, fromtag):
        if tag in self.tagged and not force:
            raise koji.TagError(f"build hello-1-2 already tagged (tag-{tag})")
        if fromtag is not None:
            if fromtag not in self.tagged:
                raise koji.TagError(f"build hello-1-2 not in tag tag-{fromtag}")
            del self.tagged[fromtag]
        self.tagged[tag] = (3, self.now)

    def host_tagNotification(self, *args):
        self.told.append(args)

    def listTagged(self, tag, package, inherit):
        return [{"build_id": 7}] if tag in self.tagged else []

    def queryHistory(self, tables, build, tag, active):
        rows = [self.tagged[tag]] if tag in self.tagged else []
        return {"tag_listing": [{"creator_id": who, "create_ts": when} for who, when in rows]}


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def scene(tmp_path, hub):
    def make(*params):
        return Scene(tmp_path, TagBuildTask, hub, *params)

    return make


def test_tagging(scene, hub):
    """The build is in the tag, and its owner is told."""
    task = scene(1, 7, False, None, True)
    assert task.run() is None
    assert 1 in hub.tagged
    assert hub.told == [(True, 1, None, 7, 3, True)]
    assert task.session.names() == ["getTaskInfo", "getBuild", "getTag", "host.tagBuild", "host.tagNotification"]


def test_refusal_is_told(scene, hub):
    """The hub's reason reaches owner and task, with the class in front as kojid has it."""
    hub.tagged[1] = (9, 50.0)
    with pytest.raises(koji.TagError, match=r"^build hello-1-2 already tagged \(tag-1\)$"):
        scene(1, 7).run()
    assert hub.told == [
        (False, 1, None, 7, 3, False, "<class 'koji.TagError'>: build hello-1-2 already tagged (tag-1)")
    ]


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("fromtag", [None, 2])
@pytest.mark.parametrize("side", ["die_before", "die_after"])
def test_daemon_dies_at_the_tagging(scene, hub, side, fromtag, lost):
    """Begun again, with or without a journal, it ends with the build in place and everybody told of a success."""
    if fromtag:
        hub.tagged[fromtag] = (9, 50.0)
    task = scene(1, 7, False, fromtag)
    with pytest.raises((Killed, Interrupted)):
        task.run(**{side: "host.tagBuild"})
    if lost:
        task.forget()
    task.run()
    assert set(hub.tagged) == {1}
    assert [told[0] for told in hub.told] == [True]


@pytest.mark.parametrize("tagging", [(9, 150.0), (3, 50.0)])
def test_tagging_of_somebody_else(scene, hub, tagging):
    """A build that another user, or an older task, has tagged was not tagged by an earlier run of this one."""
    hub.tagged[1] = tagging
    with pytest.raises(koji.TagError):
        scene(1, 7).run()


def test_forced_tagging_is_repeated(scene, hub):
    """What was tagged before says nothing of a forced tagging, which may be done twice."""
    hub.tagged[1] = (9, 50.0)
    task = scene(1, 7, True)
    with pytest.raises((Killed, Interrupted)):
        task.run(die_before="host.tagBuild")
    task.run()
    assert hub.tagged[1] == (3, 200.0)
