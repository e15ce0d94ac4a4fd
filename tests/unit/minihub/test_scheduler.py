"""The scheduler's time-outs, with a clock in hand (contract 2.4)."""

import koji

STATES = koji.TASK_STATES


def state(hub, task):
    return koji.TASK_STATES[hub.call("getTaskInfo", task)["state"]]


def test_run_interval(hub, clock, builder):
    """A host that asks makes the scheduler run, but not again within the interval."""
    hub.run_scheduler()
    task = hub.make_task("sleep", [0])
    assert builder("host.getTasks") == []
    clock.pass_by(60)
    builder("host.updateHost", 0.0, True)
    assert [row["id"] for row in builder("host.getTasks")] == [task]


def test_silent_host_is_not_ready(hub, clock, builder):
    """After ReadyTimeout without a check-in a host gets nothing and is shown as not ready."""
    clock.pass_by(181)
    task = hub.make_task("sleep", [0])
    hub.run_scheduler()
    assert state(hub, task) == "FREE"
    assert hub.call("getHost", "builder")["ready"] is False


def test_assigned_but_never_opened(hub, clock, builder, other):
    """After AssignTimeout the task is free, and a host that was there is barred from it for a while."""
    task = hub.make_task("sleep", [0])
    hub.run_scheduler()
    holder = hub.call("getTaskInfo", task)["host_id"]
    clock.pass_by(301)
    for host in (builder, other):
        host("host.updateHost", 0.0, True)
    hub.run_scheduler()
    assert state(hub, task) == "FREE"
    (refusal,) = hub.call("scheduler.getTaskRefusals")
    assert (refusal["host_id"], refusal["msg"], refusal["soft"]) == (holder, "assignment timeout", True)
    hub.run_scheduler()
    assert hub.call("getTaskInfo", task)["host_id"] not in (None, holder)


def test_assigned_to_a_host_that_went_away(hub, clock, builder):
    """A host that was not there did not refuse."""
    task = hub.make_task("sleep", [0])
    hub.run_scheduler()
    clock.pass_by(301)
    hub.run_scheduler()
    assert state(hub, task) == "FREE"
    assert hub.call("scheduler.getTaskRefusals") == []


def test_unresponsive_host(hub, clock, builder):
    """After HostTimeout without a check-in the OPEN tasks of a host are free."""
    task = hub.make_task("sleep", [0])
    hub.run_scheduler()
    builder("host.openTask", task)
    clock.pass_by(899)
    hub.run_scheduler()
    assert state(hub, task) == "OPEN"
    clock.pass_by(2)
    hub.run_scheduler()
    assert state(hub, task) == "FREE"
    assert "Freeing task from unresponsive host" in [row["msg"] for row in hub.call("scheduler.getLogMessages")]


def test_check_in_keeps_tasks(hub, clock, builder):
    """A host that checks in keeps its tasks for ever."""
    task = hub.make_task("sleep", [0])
    hub.run_scheduler()
    builder("host.openTask", task)
    for _ in range(5):
        clock.pass_by(600)
        builder("host.updateHost", 1.0, False)
        hub.run_scheduler()
    assert state(hub, task) == "OPEN"


def test_override_is_never_timed_out(hub, clock, builder):
    """A task that a person assigned stays, ASSIGNED or OPEN."""
    waiting, running = hub.make_task("sleep", [0]), hub.make_task("sleep", [0], assign="builder")
    hub.call("assignTask", waiting, "builder", override=True)
    builder("host.openTask", running)
    clock.pass_by(10000)
    hub.run_scheduler()
    assert (state(hub, waiting), state(hub, running)) == ("ASSIGNED", "OPEN")


def test_soft_refusal_passes(hub, clock, builder):
    """After SoftRefusalTimeout the host may have the task again; a hard refusal lasts."""
    soft, hard = hub.make_task("sleep", [0]), hub.make_task("sleep", [0])
    hub.run_scheduler()
    builder("host.refuseTask", soft, soft=True, msg="disk")
    builder("host.refuseTask", hard, soft=False, msg="no handler")
    clock.pass_by(901)
    builder("host.updateHost", 0.0, True)
    hub.run_scheduler()
    assert (state(hub, soft), state(hub, hard)) == ("ASSIGNED", "FREE")


def test_refusals_end_with_the_task(hub, builder):
    """A finished task's refusals are forgotten."""
    task = hub.make_task("sleep", [0])
    hub.run_scheduler()
    builder("host.refuseTask", task, soft=False, msg="no handler")
    hub.call("cancelTask", task)
    hub.run_scheduler()
    assert hub.call("scheduler.getTaskRefusals") == []


def test_waiting_tasks_weigh_nothing(hub, builder):
    """A waiting parent leaves room, but counts among the host's tasks."""
    parents = [hub.make_task("build", [0]) for _ in range(4)]
    hub.run_scheduler()
    for parent in parents:
        builder("host.openTask", parent)
        builder("host.taskSetWait", parent, [])
    more = hub.make_task("sleep", [0])
    hub.run_scheduler()
    assert state(hub, more) == "ASSIGNED"
    builder("host.updateHost", 0.0, True, data={"maxjobs": 5})
    last = hub.make_task("sleep", [0])
    hub.run_scheduler()
    assert state(hub, last) == "FREE"


def test_heavy_task_on_a_small_host(hub, builder):
    """Room is needed only beyond the overcommit."""
    task = hub.make_task("sleep", [0])
    hub.state.db.run("UPDATE task SET weight = 8.9 WHERE id = ?", (task,))
    hub.run_scheduler()
    assert state(hub, task) == "ASSIGNED"
    heavier = hub.make_task("sleep", [0])
    hub.state.db.run("UPDATE task SET weight = 9.1 WHERE id = ?", (heavier,))
    hub.call("freeTask", task)
    hub.call("cancelTask", task)
    hub.run_scheduler()
    assert state(hub, heavier) == "FREE"


def test_noarch_build_of_another_arch(hub, builder):
    """A noarch build is refused beforehand for hosts that cannot build for its tag."""
    hub.add_tag("arm-build", "aarch64")
    hub.add_tag("x86-build", "i686")
    arm = hub.make_task("buildArch", ["a.src.rpm", "arm-build", "noarch", True, {"repo_id": 1}], arch="noarch")
    hub.make_task("buildArch", ["a.src.rpm", "arm-build", "aarch64", True, {"repo_id": 1}], arch="aarch64")
    hub.make_task("rebuildSRPM", ["a.src.rpm", "missing-tag", {}], arch="noarch")
    hub.make_task("sleep", [0], arch="noarch")
    rows = hub.call("scheduler.getTaskRefusals")
    assert [(row["task_id"], row["soft"], row["msg"]) for row in rows] == [(arm, False, "automatic arch refusal")]


def test_disabled_channel(hub, builder):
    """Tasks of a disabled channel wait."""
    task = hub.make_task("sleep", [0])
    hub.call("disableChannel", "default")
    hub.run_scheduler()
    assert state(hub, task) == "FREE"
    hub.call("enableChannel", "default")
    hub.run_scheduler()
    assert state(hub, task) == "ASSIGNED"
