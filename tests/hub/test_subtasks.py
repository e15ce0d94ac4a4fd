"""Children: labels, waiting, results (contract 2.9)."""

import koji
import pytest

STATES = koji.TASK_STATES


def test_child_inherits(hub, builder):
    """Owner, arch and channel come from the parent, the priority is one better."""
    parent = builder.open_task(arch="x86_64", priority=12)
    child = builder.subtask(parent)
    top, info = hub.admin.getTaskInfo([parent, child])
    assert (info["parent"], info["priority"], info["label"]) == (parent, 11, None)
    assert [info[name] for name in ("owner", "arch", "channel_id")] == [top[n] for n in ("owner", "arch", "channel_id")]


def test_options_of_a_child(hub, builder):
    """What is said wins over what is inherited."""
    parent = builder.open_task()
    child = builder.subtask(parent, label="x86_64", arch="noarch", priority=3, channel="default")
    info = hub.admin.getTaskInfo(child)
    assert (info["label"], info["arch"], info["priority"]) == ("x86_64", "noarch", 3)
    assert hub.admin.getChannel(info["channel_id"])["name"] == "default"


def test_label_gives_the_same_child(builder):
    """A parent that runs again finds its children by label."""
    parent = builder.open_task()
    first = builder.subtask(parent, label="srpm")
    assert builder.subtask(parent, label="srpm") == first
    assert builder.subtask(parent, label="other") != first
    assert builder.subtask(parent) not in (first, builder.subtask(parent))


def test_keywords_of_a_child(hub, builder):
    """`kwargs` become the last argument."""
    parent = builder.open_task()
    child = builder.session.host.subtask("sleep", [1], parent, kwargs={"n": 2})
    assert hub.admin.getTaskInfo(child, request=True)["request"] == [1, {"n": 2, "__starstar": True}]


def test_child_for_this_host(builder):
    """`assign` makes it ASSIGNED at once."""
    parent = builder.open_task()
    child = builder.subtask(parent, assign=builder.id)
    assert [row["id"] for row in builder.session.host.getTasks()] == [child]


def test_owner_is_refused(builder):
    """The owner is the parent's."""
    parent = builder.open_task()
    with pytest.raises(koji.ActionNotAllowed, match="The owner option is not allowed here"):
        builder.subtask(parent, owner=1)


def test_parent_must_be_held(hub, builder, other):
    """A host makes children only for what it holds OPEN."""
    parent = builder.open_task()
    with pytest.raises(koji.ActionNotAllowed, match=f"host {other.id} does not own task {parent}"):
        other.subtask(parent)
    hub.admin.cancelTask(parent)
    with pytest.raises(koji.ActionNotAllowed, match=f"host {builder.id} does not own task {parent}"):
        builder.subtask(parent)


def test_administrator_needs_an_open_parent(hub, builder):
    """A makeTask checks the parent's state."""
    task = builder.make_task()
    with pytest.raises(koji.GenericError, match=rf"Parent task \(id {task}\) is not open"):
        hub.admin.makeTask("sleep", [0], parent=task)
    with pytest.raises(koji.GenericError, match="Invalid parent task: 1000000000"):
        hub.admin.makeTask("sleep", [0], parent=10**9)


def test_children_and_descendents(hub, builder):
    """The tree, as people see it."""
    parent = builder.open_task()
    child = builder.subtask(parent)
    assert builder.session.host.openTask(child)
    grandchild = builder.subtask(child)
    (row,) = hub.admin.getTaskChildren(parent, request=True)
    assert (row["id"], row["request"]) == (child, [0])
    tree = hub.admin.getTaskDescendents(parent)
    assert {key: [row["id"] for row in rows] for key, rows in tree.items()} == {
        str(parent): [child], str(child): [grandchild], str(grandchild): [],
    }  # fmt: skip


def open_children(builder, count):
    """A waiting parent and OPEN children."""
    parent = builder.open_task()
    children = [builder.subtask(parent) for _ in range(count)]
    for child in children:
        assert builder.session.host.openTask(child)
    builder.session.host.taskSetWait(parent, children)
    return parent, children


def waiting(builder, parent):
    """The parent's row in the host's list of tasks."""
    return next(row for row in builder.session.host.getHostTasks() if row["id"] == parent)


def test_wait(hub, builder):
    """A waiting parent is alerted when an awaited child ends, and its wait ends with the results."""
    parent, (first, second) = open_children(builder, 2)
    assert hub.admin.getTaskInfo(parent)["waiting"] is True
    assert [hub.admin.getTaskInfo(child)["awaited"] for child in (first, second)] == [True, True]
    assert "alert" not in waiting(builder, parent)
    finished, unfinished = builder.session.host.taskWait(parent)
    assert (finished, sorted(unfinished)) == ([], [first, second])
    builder.close(first, "one")
    assert waiting(builder, parent)["alert"] is True
    assert builder.session.host.taskWait(parent) == [[first], [second]]
    assert "alert" not in waiting(builder, parent)
    builder.close(second, "two")
    assert builder.session.host.taskWait(parent) == [[second], []]
    results = builder.session.host.taskWaitResults(parent, [first, second])
    assert results == [[first, "one"], [second, "two"]]
    assert waiting(builder, parent)["waiting"] is False


def test_wait_for_some(hub, builder):
    """Only the children named are awaited."""
    parent, (first, second) = open_children(builder, 2)
    builder.session.host.taskSetWait(parent, [second])
    assert [hub.admin.getTaskInfo(child)["awaited"] for child in (first, second)] == [False, True]
    builder.close(first)
    assert "alert" not in waiting(builder, parent)


def test_wait_for_all(hub, builder):
    """None means all children."""
    parent = builder.open_task()
    child = builder.subtask(parent)
    builder.session.host.taskSetWait(parent, None)
    assert hub.admin.getTaskInfo(child)["awaited"] is True


def test_wait_needs_a_list(builder):
    """Anything else is a ParameterError."""
    parent = builder.open_task()
    with pytest.raises(koji.ParameterError, match="expected type <class 'list'>"):
        builder.session.host.taskSetWait(parent, "1,2")


def test_results_of_all(builder):
    """None asks for every child that has ended."""
    parent, (first, _second) = open_children(builder, 2)
    builder.close(first, 1)
    assert builder.session.host.taskWaitResults(parent, None) == [[first, 1]]


def test_failed_child(builder, documents):
    """Its fault is raised unchanged, unless it may fail."""
    parent, (child,) = open_children(builder, 1)
    builder.session.host.failTask(child, documents.fault(1005, "see build.log"))
    with pytest.raises(koji.BuildError, match=r"^see build\.log$"):
        builder.session.host.taskWaitResults(parent, [child])
    assert builder.session.host.taskWaitResults(parent, [child], canfail=[child]) == [
        [child, {"faultCode": 1005, "faultString": "see build.log"}]
    ]


def test_cancelled_child(hub, builder):
    """A cancelled child is an error that says so, unless it may fail."""
    parent, (child,) = open_children(builder, 1)
    hub.admin.cancelTask(child)
    assert waiting(builder, parent)["alert"] is True
    with pytest.raises(koji.GenericError, match=f"Task {child} is canceled"):
        builder.session.host.taskWaitResults(parent, [child])
    assert builder.session.host.taskWaitResults(parent, [child], canfail=[child]) == [
        [child, {"faultCode": 1000, "faultString": f"Task {child} is canceled"}]
    ]


def test_unfinished_child(builder):
    """Its result cannot be had."""
    parent, (child,) = open_children(builder, 1)
    with pytest.raises(koji.GenericError, match=f"Task {child} is not finished"):
        builder.session.host.taskWaitResults(parent, [child])
