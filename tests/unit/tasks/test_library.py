"""koji's own handlers, made to run in a thread: what was replaced in them, and what must survive a daemon."""

import koji
import koji.tasks
import pytest

from koji_adjutant.errors import Interrupted
from koji_adjutant.tasks.library import LIBRARY
from tests.support.task_scene import TASK, Children, Killed, Scene

HANDLERS = {handler.Methods[0]: handler for handler in LIBRARY}
ENDED = {name: number for number, name in enumerate(koji.TASK_STATES)}


class Hub(Children):
    """Has hosts, and tasks that have ended."""

    def __init__(self):
        super().__init__()
        self.states = {5: ENDED["CLOSED"], 6: ENDED["CLOSED"]}
        self.unlabelled = []
        self.verified = False

    def getTaskInfo(self, task):
        return {"id": task, "state": self.states[task]} if task in self.states else None

    def taskFinished(self, task):
        return self.verified if task in self.children.values() else True

    def host_subtask(self, **asked):
        if "label" in asked:
            return super().host_subtask(**asked)
        self.unlabelled.append(asked)
        return 200 + len(self.unlabelled)

    def getTaskChildren(self, task):
        return [{"id": 201 + number} for number in range(len(self.unlabelled))]

    def host_taskWaitResults(self, task, children, canfail=None):
        return [[child, None] for child in children]

    def getChannel(self, channel, strict):
        return {"id": 1}

    def listHosts(self, **query):
        return [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]

    def host_getID(self):
        return 1


@pytest.fixture
def hub():
    return Hub()


def scene(tmp_path, method, hub, *params):
    return Scene(tmp_path, HANDLERS[method], hub, *params)


def test_dependants_wait_for_their_tasks(tmp_path, hub):
    """What is no task is not waited for; options of a child are passed on."""
    task = scene(
        tmp_path, "dependantTask", hub, [5, "x", 77, 6], [["build", ["a"], {"priority": 3}], ["tagBuild", ["b"]]]
    )
    task.run()
    assert hub.unlabelled == [
        {"method": "build", "arglist": ["a"], "parent": TASK, "priority": 3},
        {"method": "tagBuild", "arglist": ["b"], "parent": TASK},
    ]


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_failed_dependency(tmp_path, hub, state):
    """Nothing is begun, and the dependency is named."""
    hub.states[6] = ENDED[state]
    with pytest.raises(koji.GenericError, match=r"^Dependency 6 failed to complete\.$"):
        scene(tmp_path, "dependantTask", hub, [5, 6], [["build", ["a"]]]).run()
    assert hub.unlabelled == []


@pytest.mark.parametrize("lost", [False, True])
def test_dependants_are_begun_once(tmp_path, hub, lost):
    """They have no labels, so they are counted."""
    task = scene(tmp_path, "dependantTask", hub, [5], [["build", ["a"]], ["build", ["b"]]])
    with pytest.raises((Killed, Interrupted)):
        task.run(die_after="host.subtask")
    if lost:
        task.forget()
    task.run()
    assert [asked["arglist"] for asked in hub.unlabelled] == [["a"], ["b"]]


def test_restart_of_all_hosts_frees_itself_for_its_own_host(tmp_path, hub):
    """It must not hold up the restart of the daemon that runs it, and finds its children again afterwards."""
    task = scene(tmp_path, "restartHosts", hub, {"channel": "default"})
    with pytest.raises(koji.tasks.ServerRestart):
        task.run()
    assert list(hub.children) == ["restart 1", "sleep 1", "restart 2", "sleep 2"]
    assert hub.asked["sleep 1"]["arglist"] == [100, {"id": 1, "name": "one"}]
    assert hub.asked["restart 2"]["assign"] == 2
    task.forget()
    hub.verified = True
    task.run()
    assert len(hub.children) == 4


def test_no_hosts(tmp_path, hub):
    """In koji's words."""
    hub.listHosts = lambda **_: []
    with pytest.raises(koji.GenericError, match=r"^No matching hosts$"):
        scene(tmp_path, "restartHosts", hub).run()


def test_fork_starts_nothing(tmp_path, hub):
    """Kojid's sleeping processes would outlive a thread."""
    assert scene(tmp_path, "fork", hub, 5, 37).run() is None
    assert hub.children == {}
