"""The task `waitrepo`: when it looks, what it asks for, how it ends."""

import threading

import koji
import pytest

from koji_adjutant.errors import TaskCancelled
from koji_adjutant.tasks.wait_repo import LONGEST, SHORTEST, WaitrepoTask, pause_after
from tests.support.task_scene import Scene

REPO = {"id": 9, "tag_id": 2, "create_event": 60}


class Hub:
    """Makes the repo at the look that the test has chosen."""

    def __init__(self, looks=0):
        self.looks = looks
        self.asked = []
        self.request = {"id": 5, "active": True, "min_event": 45, "task_id": None, "task_state": None}
        self.request |= {"repo_id": None, "tries": 0}

    def getTag(self, tag, strict):
        return {"id": 2, "name": "t-build"}

    def tagLastChangeEvent(self, tag):
        return 47

    def getLastEvent(self, before, strict):
        return {"id": 40}

    def tagFirstChangeEvent(self, tag, after):
        assert after == 40
        return 44

    def repo_request(self, tag, min_event, at_event, opts):
        self.asked.append(min_event)
        return {"repo": None if self.looks else REPO, "request": self.request}

    def repo_checkRequest(self, request):
        self.looks -= 1
        return {"repo": None if self.looks > 0 else REPO, "request": self.request}


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were made, none of which takes time."""
    made = []
    monkeypatch.setattr("koji_adjutant.tasks.context.Interruption.sleep", lambda _, seconds: made.append(seconds))
    return made


def scene(tmp_path, hub, *params):
    return Scene(tmp_path, WaitrepoTask, hub, *params)


@pytest.mark.parametrize(
    ("waited", "pause"), [(0, SHORTEST), (20, SHORTEST), (45, 4.5), (300, 30), (600, LONGEST), (7000, LONGEST)]
)
def test_pause(waited, pause):
    """Short at first, a tenth of the wait later, never longer than kojid's."""
    assert pause_after(waited) == pytest.approx(pause)


def test_repo_that_is_there(tmp_path, pauses):
    """Nothing is waited for."""
    assert scene(tmp_path, Hub(), "t-build", None, [], 45).run() == REPO
    assert pauses == []


def test_repo_that_comes(tmp_path, pauses):
    """The hub is looked at until the repo is there."""
    assert scene(tmp_path, Hub(looks=3), "t-build", None, [], 45).run() == REPO
    assert len(pauses) == 3
    assert max(pauses) <= SHORTEST + 1


@pytest.mark.parametrize(("newer_than", "event"), [("now", 47), ("NOW", 47), (1700000000.0, 44)])
def test_older_parameter(tmp_path, pauses, newer_than, event):
    """A time is an event: the tag's first change after it, or its last one."""
    hub = Hub()
    scene(tmp_path, hub, "t-build", newer_than).run()
    assert hub.asked == [event]


@pytest.mark.parametrize(
    ("params", "text"),
    [(("now", None, 5), "newer_than and min_event args confict"), (("soon",), "Invalid value for newer_than: soon")],
)
def test_wrong_parameters(tmp_path, params, text):
    """In koji's words."""
    with pytest.raises(koji.GenericError, match=f"^{text}$"):
        scene(tmp_path, Hub(), "t-build", *params).run()


def test_request_that_ends_without_a_repo(tmp_path, pauses):
    """In koji's words."""
    hub = Hub(looks=9)
    hub.request |= {"active": False, "task_id": 8, "task_state": koji.TASK_STATES["FAILED"]}
    with pytest.raises(koji.GenericError, match=r"^Repo request inactive: task 8 state is FAILED$"):
        scene(tmp_path, hub, "t-build").run()


def test_limit_counts_over_all_daemons(tmp_path, pauses):
    """A daemon that adopts the task does not begin the two hours anew."""
    task = scene(tmp_path, Hub(looks=9), "t-build")
    first = task.task()
    first.context.journal.remember("waiting-since", lambda: 1000.0)
    first.context.journal.close()
    with pytest.raises(koji.GenericError, match=r"^Unsuccessfully waited \d+:\d\d for a new t-build repo$"):
        task.run()


def test_cancel_ends_the_wait(tmp_path):
    """A pause is over as soon as the task is cancelled."""
    task = scene(tmp_path, Hub(looks=1000), "t-build").task()
    timer = threading.Timer(0.05, task.context.interruption.cancel, ["cancelled"])
    timer.start()
    with pytest.raises(TaskCancelled):
        task.run()
    timer.join()
