"""Check-in, assignment, refusal (contract 2.4)."""

import threading

import koji
import pytest

STATES = koji.TASK_STATES


def assigned(hub, builder):
    """Ids the scheduler has given to the host, after a run."""
    hub.admin.scheduler.doRun(force=True)
    return [row["id"] for row in builder.session.host.getTasks()]


def test_check_in(hub, builder):
    """A check-in is seen in the host's entry."""
    builder.check_in(1.5, ready=False)
    host = hub.admin.getHost(builder.name, strict=True)
    assert (host["task_load"], host["ready"], host["enabled"]) == (1.5, False, True)
    assert host["update_ts"] > 0
    assert builder.session.host.getHost() == host
    assert set(host) == {
        "id", "user_id", "name", "update_ts", "ready", "task_load", "arches", "capacity", "description", "comment",
        "enabled",
    }  # fmt: skip


def test_host_data_is_a_dictionary(builder):
    """Anything else is refused."""
    with pytest.raises(koji.ParameterError, match="Host data should be a dictionary"):
        builder.session.host.updateHost(0.0, True, data=["methods"])


def test_assignment(hub, builder):
    """A ready host gets a task of its channel, by priority."""
    late, soon = builder.make_task(priority=30), builder.make_task(priority=5)
    assert assigned(hub, builder) == [soon, late]
    (row, _) = builder.session.host.getTasks()
    assert set(row) == {"id", "state", "channel_id", "host_id", "arch", "method", "priority", "create_ts"}
    assert (row["state"], row["host_id"]) == (STATES["ASSIGNED"], builder.id)
    assert builder.session.host.openTask(soon)["state"] == STATES["OPEN"]


def test_not_ready(hub, builder):
    """A host that is not ready gets nothing."""
    builder.make_task()
    builder.check_in(ready=False)
    assert assigned(hub, builder) == []


def test_disabled(hub, builder):
    """A disabled host gets nothing."""
    builder.make_task()
    hub.admin.disableHost(builder.name)
    assert builder.session.host.getHost()["enabled"] is False
    assert assigned(hub, builder) == []
    hub.admin.enableHost(builder.name)
    assert len(assigned(hub, builder)) == 1


def test_arch(hub, builder):
    """A task of another arch is not for this host; noarch is."""
    builder.make_task(arch="ppc64le")
    fit = builder.make_task(arch="noarch")
    assert assigned(hub, builder) == [fit]


def test_capacity(hub):
    """Tasks are given while there is room: load below capacity."""
    builder = hub.builder(capacity=2.0)
    for _ in range(4):
        builder.make_task()
    assert len(assigned(hub, builder)) == 2


def test_maxjobs(hub, builder):
    """No more tasks than the host says."""
    builder.check_in(maxjobs=1)
    first, _second = builder.make_task(), builder.make_task()
    assert assigned(hub, builder) == [first]


def test_least_loaded_first(hub, builder):
    """Of two hosts the idle one gets the next task."""
    builder.open_task()
    idle = hub.builder()
    task = builder.make_task()
    assert assigned(hub, idle) == [task]


def refusals(hub, task):
    """Refusals of a task, short."""
    rows = hub.admin.scheduler.getTaskRefusals([["task_id", task]])
    return [(row["host_id"], row["soft"], row["by_host"], row["msg"]) for row in rows]


@pytest.mark.parametrize("soft", [True, False])
def test_refuse(hub, builder, soft):
    """A refusal frees the task, is on record with its reason, and keeps the task from this host."""
    task = builder.make_task()
    assert assigned(hub, builder) == [task]
    builder.session.host.refuseTask(task, soft=soft, msg="no handler for method")
    assert hub.admin.getTaskInfo(task)["state"] == STATES["FREE"]
    assert refusals(hub, task) == [(builder.id, soft, True, "no handler for method")]
    assert assigned(hub, builder) == []


def test_refused_task_goes_to_another(hub, builder):
    """Another host gets what one refused."""
    task = builder.make_task()
    assert assigned(hub, builder) == [task]
    builder.session.host.refuseTask(task, soft=True, msg="disk")
    second = hub.builder()
    assert assigned(hub, second) == [task]


def test_refuse_an_open_task(hub, builder):
    """A task that is already OPEN may be given back too."""
    task = builder.open_task()
    builder.session.host.refuseTask(task, msg="image gone")
    assert hub.admin.getTaskInfo(task)["state"] == STATES["FREE"]
    with pytest.raises(koji.ActionNotAllowed, match="does not own task"):
        builder.close(task)


def test_refuse_what_is_not_ours(hub, builder, other):
    """Nothing happens."""
    task = builder.open_task()
    other.session.host.refuseTask(task, msg="no")
    assert hub.admin.getTaskInfo(task)["state"] == STATES["OPEN"]
    assert refusals(hub, task) == []


def test_override_is_left_alone(hub, builder):
    """A task assigned by hand has no run entry, one the scheduler assigned has."""
    by_hand, by_scheduler = builder.make_task(), builder.make_task()
    hub.admin.assignTask(by_hand, builder.name, override=True)
    assert set(assigned(hub, builder)) == {by_hand, by_scheduler}
    runs = hub.admin.scheduler.getTaskRuns([["host_id", builder.id]])
    assert [run["task_id"] for run in runs] == [by_scheduler]


def test_schedule_by_check_in(hub, builder):
    """A host that asks and has nothing makes the hub look for it, within the run interval."""
    task = builder.make_task()
    waited = threading.Event()
    for _ in range(200):
        found = [row["id"] for row in builder.session.host.getTasks()]
        if found:
            break
        waited.wait(0.1)
    assert found == [task]


def test_old_form(hub, builder):
    """The old call is getTasks with the host beside it."""
    task = builder.make_task()
    assigned(hub, builder)
    hosts, tasks = builder.session.host.getLoadData()
    assert [host["id"] for host in hosts] == [builder.id]
    assert [row["id"] for row in tasks] == [task]


def test_hosts_and_channels(hub, builder):
    """What administrators see and change."""
    names = {channel["name"] for channel in hub.admin.listChannels(hostID=builder.name)}
    assert names == {hub.channel}
    assert [host["id"] for host in hub.admin.listHosts(channelID=hub.channel)] == [builder.id]
    assert hub.admin.listHosts(channelID=hub.channel, arches=["s390x"]) == []
    assert hub.admin.editHost(builder.name, comment="c", capacity=9.0) is True
    assert hub.admin.editHost(builder.name, comment="c") is False
    assert hub.admin.getHost(builder.id)["capacity"] == 9.0
    hub.admin.addHostToChannel(builder.name, "createrepo")
    with pytest.raises(koji.GenericError, match="is already subscribed to the createrepo channel"):
        hub.admin.addHostToChannel(builder.name, "createrepo")
    hub.admin.removeHostFromChannel(builder.name, "createrepo")
    with pytest.raises(koji.GenericError, match="is not subscribed to the createrepo channel"):
        hub.admin.removeHostFromChannel(builder.name, "createrepo")
    with pytest.raises(koji.GenericError, match=f"host already exists: {builder.name}"):
        hub.admin.addHost(builder.name, "x86_64")
    with pytest.raises(koji.GenericError, match="Invalid hostInfo: nobody-here"):
        hub.admin.getHost("nobody-here", strict=True)
    assert hub.admin.getLastHostUpdate(builder.id, ts=True) > 0
