"""What all handlers share."""

import koji
import pytest

from koji_adjutant.hub.refusals import CallUncertain
from koji_adjutant.tasks.base import ThreadedTask
from tests.support.task_scene import Children, Scene


class Task(ThreadedTask):
    """Makes two children."""

    Methods = ["x"]  # noqa: RUF012 - koji's class attribute

    def handler(self):
        first = self.subtask("a", [1], label="one", arch="noarch")
        return first, self.subtask("a", [1], label="one"), self.subtask("b", [], label="two")


def test_a_labelled_child_is_asked_for_once(tmp_path):
    """Later calls, and later daemons, know it."""
    scene = Scene(tmp_path, Task, Children())
    assert scene.run() == (100, 100, 101)
    assert scene.session.names() == ["host.subtask", "host.subtask"]
    assert scene.run() == (100, 100, 101)
    assert scene.session.names() == []


def test_a_lost_answer_about_a_child(tmp_path):
    """The call is repeated: the hub finds the child by its label."""
    hub = Children()
    create = hub.host_subtask

    def lossy(**asked):
        child = create(**asked)
        if len(hub.asked) == 1:
            hub.asked["lost"] = {}
            raise CallUncertain("lost")
        return child

    hub.host_subtask = lossy
    assert Scene(tmp_path, Task, hub).run() == (100, 100, 101)


@pytest.mark.parametrize("path", ["work/../../../etc/x.src.rpm", "/etc/passwd", "work/.."])
def test_downloads_stay_in_the_work_directory(tmp_path, path):
    """A path of a user's own choice leads nowhere else."""
    task = Scene(tmp_path, Task, Children()).task()
    with pytest.raises(koji.GenericError, match=r"^Invalid path: "):
        task.localPath(path)
