"""A task from its making to its end, and who may do what to it."""

import koji
import pytest

STATES = koji.TASK_STATES


def test_new_task(hub, builder):
    """What a new task looks like."""
    task = builder.make_task("sleep", [3], priority=7, arch="x86_64")
    info = hub.admin.getTaskInfo(task, request=True)
    assert info["request"] == [3]
    expected = {
        "id": task, "method": "sleep", "state": STATES["FREE"], "host_id": None, "priority": 7, "arch": "x86_64",
        "weight": 1.0, "parent": None, "label": None, "waiting": None, "awaited": None, "start_time": None,
        "start_ts": None, "completion_time": None, "completion_ts": None,
    }  # fmt: skip
    assert expected.items() <= info.items()
    assert set(info) == {*expected, "request", "owner", "channel_id", "create_time", "create_ts"}
    assert hub.admin.getChannel(info["channel_id"])["name"] == hub.channel


def test_keyword_arguments_of_a_task(hub, builder):
    """`__starstar` arguments of a request come back as they were given."""
    task = builder.make_task("sleep", koji.encode_args(1, n=2))
    assert hub.admin.getTaskInfo(task, request=True)["request"] == [1, {"n": 2, "__starstar": True}]


def test_unknown_task(hub):
    """None, or the fault of a strict question."""
    assert hub.admin.getTaskInfo(10**9) is None
    assert hub.admin.getTaskInfo([10**9]) == [None]
    with pytest.raises(koji.GenericError, match="query returned no rows"):
        hub.admin.getTaskInfo(10**9, strict=True)
    with pytest.raises(koji.GenericError, match="No such task"):
        hub.admin.getTaskResult(10**9)
    with pytest.raises(koji.GenericError, match="No such task: 1000000000"):
        hub.admin.cancelTask(10**9)
    with pytest.raises(koji.ParameterError, match="Invalid type for value 'x'"):
        hub.admin.getTaskInfo("x")


def test_unknown_channel(hub, builder):
    """A task for a channel that is not there is not made."""
    with pytest.raises(koji.GenericError, match="No such channel: nowhere"):
        hub.admin.makeTask("sleep", [0], channel="nowhere")


def test_owner_is_not_an_option(hub):
    """The maker is the owner."""
    with pytest.raises(koji.ActionNotAllowed, match="The owner option is not allowed here"):
        hub.admin.makeTask("sleep", [0], owner=1)


def test_open_a_free_task(hub, builder):
    """A FREE task may be opened without the scheduler; the answer has the request as a document."""
    task = builder.make_task("sleep", [5])
    opened = builder.session.host.openTask(task)
    assert (opened["state"], opened["host_id"]) == (STATES["OPEN"], builder.id)
    assert opened["start_ts"] == hub.admin.getTaskInfo(task)["start_ts"]
    params, method = koji.xmlrpcplus.loads(opened["request"])
    assert (method, list(params)) == ("sleep", [5])


def test_open_what_others_hold(builder, other):
    """The race is lost with None, by the other host and by the same one."""
    task = builder.open_task()
    assert other.session.host.openTask(task) is None
    assert builder.session.host.openTask(task) is None


def test_open_a_task_that_is_not_there(builder):
    """An unknown task cannot be opened."""
    with pytest.raises(koji.GenericError, match="query returned no rows"):
        builder.session.host.openTask(10**9)


def test_open_a_cancelled_task(hub, builder):
    """A cancelled task cannot be opened."""
    task = builder.make_task()
    hub.admin.cancelTask(task)
    assert builder.session.host.openTask(task) is None


def test_close(hub, builder):
    """A closed task has its result, and takes no second one."""
    task = builder.open_task()
    assert hub.admin.taskFinished(task) is False
    builder.close(task, {"value": [1, None, "ä"]})
    info = hub.admin.getTaskInfo(task)
    assert info["state"] == STATES["CLOSED"]
    assert info["completion_ts"] >= info["start_ts"]
    assert hub.admin.getTaskResult(task) == {"value": [1, None, "ä"]}
    assert hub.admin.taskFinished(task) is True
    with pytest.raises(koji.ActionNotAllowed, match=f"host {builder.id} does not own task {task}"):
        builder.close(task)


def test_fail(hub, builder, documents):
    """A failed task's fault is raised with code and text, or handed out."""
    task = builder.open_task()
    builder.session.host.failTask(task, documents.fault(1005, "error building package"))
    assert hub.admin.getTaskInfo(task)["state"] == STATES["FAILED"]
    with pytest.raises(koji.BuildError, match=r"^error building package$"):
        hub.admin.getTaskResult(task)
    fault = {"faultCode": 1005, "faultString": "error building package"}
    assert hub.admin.getTaskResult(task, raise_fault=False) == fault


def test_result_before_the_end(hub, builder):
    """There is no result yet, or never."""
    task = builder.open_task()
    with pytest.raises(koji.GenericError, match=f"Task {task} is not finished"):
        hub.admin.getTaskResult(task)
    hub.admin.cancelTask(task)
    with pytest.raises(koji.GenericError, match=f"Task {task} is canceled"):
        hub.admin.getTaskResult(task)


@pytest.mark.parametrize("call", ["closeTask", "failTask", "setTaskWeight"])
def test_only_the_holder_works_on_a_task(builder, other, call, documents):
    """Another host is refused."""
    task = builder.open_task()
    argument = 2.0 if call == "setTaskWeight" else documents.response(None)
    with pytest.raises(koji.ActionNotAllowed, match=f"host {other.id} does not own task {task}"):
        other.session.callMethod(f"host.{call}", task, argument)


def test_weight(hub, builder):
    """The weight is the host's to set, and counts in its load."""
    task = builder.open_task()
    builder.session.host.setTaskWeight(task, 2.5)
    assert builder.session.host.getHostTasks() == [{"id": task, "waiting": None, "weight": 2.5}]


def test_free_tasks(hub, builder, other):
    """A host gives its tasks back; those of others are passed over."""
    mine, foreign = builder.open_task(), other.open_task()
    builder.session.host.freeTasks([mine, foreign])
    states = [hub.admin.getTaskInfo(task)["state"] for task in (mine, foreign)]
    assert states == [STATES["FREE"], STATES["OPEN"]]
    assert hub.admin.getTaskInfo(mine)["host_id"] is None


def test_free_by_the_administrator(hub, builder):
    """An administrator takes a task away; a finished one is refused; others may not."""
    task = builder.open_task()
    hub.admin.freeTask(task)
    assert builder.session.host.getHostTasks() == []
    with pytest.raises(koji.ActionNotAllowed, match="does not own task"):
        builder.close(task)
    hub.admin.cancelTask(task)
    with pytest.raises(koji.GenericError, match=f"Cannot free task {task}, state is CANCELED"):
        hub.admin.freeTask(task)
    with pytest.raises(koji.ActionNotAllowed, match="admin permission required"):
        hub.session(hub.user()).freeTask(task)


def test_cancel(hub, builder):
    """A cancelled task is its host's no more, and its children go with it."""
    task = builder.open_task()
    child = builder.subtask(task)
    hub.admin.cancelTask(task)
    assert [info["state"] for info in hub.admin.getTaskInfo([task, child])] == [STATES["CANCELED"]] * 2
    assert builder.session.host.getHostTasks() == []
    with pytest.raises(koji.ActionNotAllowed, match=f"host {builder.id} does not own task {task}"):
        builder.upload(task, "build.log", b"x")
    with pytest.raises(koji.ActionNotAllowed, match=f"host {builder.id} does not own task {task}"):
        builder.close(task)


def test_cancel_without_children(hub, builder):
    """Not recursive: the children go on."""
    task = builder.open_task()
    child = builder.subtask(task)
    hub.admin.cancelTask(task, recurse=False)
    assert hub.admin.getTaskInfo(child)["state"] == STATES["FREE"]


def test_cancel_after_the_end(hub, builder):
    """A closed task stays closed."""
    task = builder.open_task()
    builder.close(task)
    hub.admin.cancelTask(task)
    assert hub.admin.getTaskInfo(task)["state"] == STATES["CLOSED"]


def test_who_may_cancel(hub, builder):
    """Owner, host and administrator; nobody else."""
    task = builder.open_task()
    with pytest.raises(koji.ActionNotAllowed, match="Cannot cancel task, not owner"):
        hub.session(hub.user()).cancelTask(task)
    builder.session.cancelTask(task)
    assert hub.admin.getTaskInfo(task)["state"] == STATES["CANCELED"]


def test_cancel_children(hub, builder):
    """Only the children."""
    task = builder.open_task()
    child = builder.subtask(task)
    builder.session.cancelTaskChildren(task)
    assert [info["state"] for info in hub.admin.getTaskInfo([task, child])] == [STATES["OPEN"], STATES["CANCELED"]]


def test_cancel_full(hub, builder):
    """The whole tree from its top, beyond what has finished; from a child only when not strict."""
    task = builder.open_task()
    child = builder.subtask(task)
    assert builder.session.host.openTask(child)
    builder.close(child)
    with pytest.raises(koji.GenericError, match=rf"Task {child} is not top-level \(parent={task}\)"):
        hub.admin.cancelTaskFull(child)
    hub.admin.cancelTaskFull(child, strict=False)
    assert [info["state"] for info in hub.admin.getTaskInfo([task, child])] == [STATES["CANCELED"], STATES["CLOSED"]]


def test_resubmit(hub, builder):
    """A cancelled task again: same method, arguments, channel."""
    task = builder.make_task("sleep", [9])
    with pytest.raises(koji.GenericError, match="only canceled or failed tasks may be resubmitted"):
        hub.admin.resubmitTask(task)
    hub.admin.cancelTask(task)
    again = hub.admin.resubmitTask(task)
    first, second = hub.admin.getTaskInfo([task, again], request=True)
    same = ("method", "request", "channel_id", "arch", "priority")
    assert [first[name] for name in same] == [second[name] for name in same]


def test_assign_by_hand(hub, builder, other):
    """An administrator gives a task to a host, even an unready one; only that host can open it."""
    task = builder.make_task()
    assert hub.admin.assignTask(task, other.name, override=True) is True
    assert builder.session.host.openTask(task) is None
    assert [row["id"] for row in other.session.host.getTasks()] == [task]
    assert other.session.host.openTask(task)["id"] == task


def test_list_tasks(hub, builder):
    """The filters the koji command uses."""
    channel = hub.admin.getChannel(hub.channel)["id"]
    first, second = builder.make_task("sleep", [1]), builder.open_task("someMethod", ["x"])

    def found(query=None, **options):
        rows = hub.admin.listTasks({"channel_id": channel} | options, query or {})
        return rows if isinstance(rows, int) else [row["id"] for row in rows]

    assert found({"order": "id"}) == [first, second]
    assert found({"order": "-id"}) == [second, first]
    assert found({"order": "id", "limit": 1}) == [first]
    assert found({"countOnly": True}) == 2
    assert found(state=[STATES["OPEN"]]) == [second]
    assert found(host_id=builder.id) == [second]
    assert found(method="sleep") == [first]
    assert found(not_state=[STATES["OPEN"]]) == [first]
    assert found(parent=None) == found()
    (row,) = hub.admin.listTasks({"channel_id": channel, "method": "sleep", "decode": True})
    assert (row["request"], row["result"], row["owner_name"]) == ([1], None, "admin")


def test_no_history_of_builds(hub):
    """A package that was never built has no average duration."""
    assert hub.admin.getAverageBuildDuration("never-built", age=6) is None
