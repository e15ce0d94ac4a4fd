"""A build's result names files that are there."""

import koji
import koji.xmlrpcplus
import pytest

from koji_adjutant.minihub.results import named_files


def document(result):
    return koji.xmlrpcplus.dumps((result,), methodresponse=1)


def test_named_files():
    """Every kind of result names its own."""
    assert named_files({"rpms": ["a"], "srpms": ["b"], "logs": ["c"], "brootid": 1}) == ["a", "b", "c"]
    assert named_files({"srpm": "a", "logs": ["c"], "source": {"source": "x"}}) == ["c", "a"]
    assert named_files(None) == []


def test_missing_log(hub, builder):
    """A log that is named but was never uploaded keeps the task from being closed."""
    task = hub.make_task("buildArch", ["a.src.rpm", 1, "x86_64", True, {}], arch="x86_64")
    builder("host.openTask", task)
    log = f"tasks/{task}/{task}/build.log"
    result = {"rpms": [], "srpms": [], "logs": [log], "brootid": 1}
    with pytest.raises(koji.GenericError, match=f"No such file: .*/work/{log}"):
        builder("host.closeTask", task, document(result))
    assert hub.call("getTaskInfo", task)["state"] == koji.TASK_STATES["OPEN"]
    path = hub.topdir / "work" / log
    path.parent.mkdir(parents=True)
    path.touch()
    builder("host.closeTask", task, document(result))
    assert hub.call("getTaskResult", task) == result


def test_other_methods_are_free(hub, builder):
    """Only builds are held to it."""
    task = hub.make_task("sleep", [0])
    builder("host.openTask", task)
    builder("host.closeTask", task, document({"logs": ["nothing"]}))
