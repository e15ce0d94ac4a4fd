"""The `koji` command, unchanged."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

KOJI = Path(sys.executable).with_name("koji")
pytestmark = pytest.mark.skipif(not KOJI.exists(), reason="the koji command is not beside this Python")


@pytest.fixture
def command(hub, tmp_path):
    """Run the command; its output, or the whole outcome."""
    config = tmp_path / "koji.conf"
    config.write_text(f"[koji]\nserver = {hub.url}\ntopurl = {hub.topurl}\npoll_interval = 1\nanon_retry = no\n")
    (tmp_path / "here").mkdir()
    who = ["--user", hub.admin_credentials.user, "--password", hub.admin_credentials.password, "--force-auth"]

    def run(*words, check=True):
        full = [KOJI, "--config", config, *who, *[str(word) for word in words]]
        done = subprocess.run(full, capture_output=True, text=True, timeout=180, cwd=tmp_path / "here", check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout if check else done

    return run


@pytest.fixture
def task(hub, command, builder):
    """A task made by the command and opened."""
    task_id = int(command("make-task", f"--channel={hub.channel}", "--arch=noarch", "sleep", 1).split()[-1])
    hub.tasks.append(task_id)
    assert builder.session.host.openTask(task_id)
    return task_id


def test_call(command, task):
    """Any call."""
    assert "'method': 'sleep'" in command("call", "getTaskInfo", task)
    assert '"state": 1' in command("call", "--json", "getTaskInfo", task)


def test_taskinfo(command, hub, builder, task):
    """State, host, children, buildroots, logs."""
    child = builder.subtask(task)
    builder.upload(task, "build.log", b"text\n")
    builder.session.host.newBuildRoot(hub.repo(builder), "x86_64", task_id=task)
    shown = command("taskinfo", "-r", "-v", task)
    assert f"Host: {builder.name}" in shown
    assert f"Task: {child}" in shown
    assert "build.log" in shown
    assert "Buildroots:" in shown


def test_list_tasks(command, hub, builder, task):
    """Filters of the command line."""
    assert str(task) in command("list-tasks", f"--host={builder.name}")
    assert str(task) in command("list-tasks", f"--channel={hub.channel}", "--method=sleep", "--quiet")


def test_watch_task(command, builder, task):
    """It ends with the task, and its status is the task's."""
    ended = threading.Timer(0.5, builder.close, [task])
    ended.start()
    assert "completed successfully" in command("watch-task", task)
    ended.join()


def test_watch_task_that_fails(command, builder, task, documents):
    """Status 1 and the fault's text."""
    builder.session.host.failTask(task, documents.fault(1005, "error building package"))
    done = command("watch-task", task, check=False)
    assert done.returncode == 1
    assert "error building package" in done.stdout


def test_watch_logs(command, builder, task):
    """Logs as they grow, and the end."""
    builder.upload(task, "build.log", b"first line\n")
    builder.upload(task, "build.log", b"second line\n", 11)
    ended = threading.Timer(0.5, builder.close, [task])
    ended.start()
    shown = command("watch-logs", task)
    ended.join()
    assert "first line\nsecond line\n" in shown


def test_download_logs(command, builder, task, documents, tmp_path):
    """Logs of a failed task as files."""
    builder.upload(task, "build.log", b"everything\n")
    builder.session.host.failTask(task, documents.fault(1005, "see build.log"))
    command("download-logs", task)
    (path,) = (tmp_path / "here").rglob("*build.log")
    assert path.read_text() == "everything\n"


def test_cancel(command, hub, task):
    """The task is cancelled."""
    command("cancel", task)
    assert hub.admin.getTaskInfo(task)["state"] == 3


def test_free_task(command, hub, task):
    """The task is free."""
    command("free-task", task)
    assert hub.admin.getTaskInfo(task)["state"] == 0


def test_assign_task(command, hub, builder):
    """The task is the host's."""
    task_id = builder.make_task()
    command("assign-task", task_id, builder.name)
    assert hub.admin.getTaskInfo(task_id)["host_id"] == builder.id


def test_hosts(command, builder):
    """Entries of hosts."""
    builder.check_in(0.5)
    shown = command("hostinfo", builder.name)
    assert "Task Load: 0.50" in shown
    assert "Ready: yes" in shown
    assert builder.name in command("list-hosts", "--quiet")


def test_channels(command, hub, builder):
    """Channels with their hosts."""
    assert hub.channel in command("list-channels")


def test_scheduler(command, hub, builder):
    """Runs and reasons."""
    task_id = builder.make_task()
    hub.admin.scheduler.doRun(force=True)
    builder.session.host.refuseTask(task_id, msg="no room")
    assert "no room" in command("scheduler-logs", f"--task={task_id}")
    assert str(task_id) in command("scheduler-info", f"--task={task_id}")


def test_user(command, hub):
    """Who am I, and what may I do."""
    assert hub.admin_credentials.user in command("moshimoshi")
    assert "admin" in command("userinfo", hub.admin_credentials.user)
    assert "admin" in command("list-permissions", "--mine")


def test_package_of_a_tag(command, desk, hub):
    """Listed, shown, blocked."""
    command("add-pkg", f"--owner={hub.admin_credentials.user}", desk.dest, "some-package")
    assert "some-package" in command("list-pkgs", "--quiet", f"--tag={desk.dest}")
    command("block-pkg", desk.dest, "some-package")
    assert "[BLOCKED]" in command("list-pkgs", "--quiet", "--show-blocked", f"--tag={desk.dest}")


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_build(command, desk, hub):
    """From a source package to a task with the uploaded file."""
    made = desk.package()
    shown = command("build", "--nowait", "--scratch", desk.target, made.srpm)
    task = int(shown.split("Created task:")[1].split()[0])
    hub.tasks.append(task)
    source, target, options = hub.admin.getTaskRequest(task)
    assert (target, options["scratch"]) == (desk.target, True)
    assert requests.get(f"{hub.topurl}/work/{source}", timeout=30).content == made.srpm.read_bytes()


def test_build_for_no_target(command):
    """The command says so."""
    done = command("build", "--nowait", "no-such-target", "git://x#1", check=False)
    assert done.returncode == 2
    assert "No such build target: no-such-target" in done.stderr


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_build_that_was_made(command, desk, hub):
    """Its packages, its tags, its history."""
    made = desk.build()
    desk.tagged(desk.dest, made)
    shown = command("buildinfo", "--changelog", made.package.nvr)
    assert "State: COMPLETE" in shown
    assert f"Tags: {desk.dest}" in shown
    assert made.package.rpm.name in shown
    assert "- First build" in shown
    assert made.package.nvr in command("list-tagged", "--quiet", desk.dest)
    assert made.package.nvr in command("latest-build", "--quiet", desk.dest, made.package.name)
    assert made.package.nvr in command("list-builds", "--quiet", f"--package={made.package.name}")
    assert f"Build: {made.package.nvr}" in command("rpminfo", made.package.rpm.name.removesuffix(".rpm"))
    assert f"{made.package.nvr} tagged into {desk.dest}" in command("list-history", f"--tag={desk.dest}")


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_tagging(command, desk, hub):
    """By a task there, at once back."""
    made = desk.build()
    shown = command("tag-build", "--nowait", desk.dest, made.package.nvr)
    hub.tasks.append(int(shown.split("Created task")[1].split()[0]))
    desk.tagged(desk.dest, made)
    command("untag-build", desk.dest, made.package.nvr)
    assert made.package.nvr not in command("list-tagged", "--quiet", desk.dest)


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_cancel_build(command, desk, hub):
    """By its name, with its task."""
    made, task = desk.package(), desk.task()
    desk.begin(made, task)
    command("cancel", made.nvr)
    assert hub.admin.getTaskInfo(task)["state"] == 3


def test_repos(command, desk, hub):
    """A request, a task by hand, and the tag as it is."""
    command("request-repo", "--nowait", "--current", desk.build_tag)
    (request,) = hub.admin.repo.queryQueue([["tag_id", "=", hub.admin.getTagID(desk.build_tag)]], fields="**")
    assert (request["active"], request["owner_name"]) == (True, hub.admin_credentials.user)
    task = int(command("regen-repo", "--make-task", "--nowait", desk.build_tag).split("Created task:")[1].split()[0])
    hub.tasks.append(task)
    assert hub.admin.getTaskInfo(task)["method"] == "newRepo"
    shown = command("taginfo", desk.build_tag)
    assert "Arches: x86_64" in shown
    assert desk.target in shown
    desk.answer_requests()


def test_targets(command, desk):
    """Shown with their tags."""
    shown = command("list-targets", "--quiet", f"--name={desk.target}")
    assert shown.split() == [desk.target, desk.build_tag, desk.dest]


def test_restart_hosts(command, hub):
    """A task for the hosts of a channel."""
    command("restart-hosts", "--nowait", "--force", f"--channel={hub.channel}")
    (task,) = hub.admin.listTasks({"method": "restartHosts", "decode": True}, {"order": "-id", "limit": 1})
    hub.tasks.append(task["id"])
    assert task["request"] == [{"channel": hub.channel}]


def test_chain_build(command, desk, hub):
    """For a target whose builds come into its build roots."""
    link = {"priority": 0, "maxdepth": None, "intransitive": False, "noconfig": False, "pkg_filter": ""}
    hub.admin.setInheritanceData(desk.build_tag, [link | {"parent_id": hub.admin.getTagID(desk.dest)}])
    shown = command("chain-build", "--nowait", desk.target, "git://x#1", ":", "git://y#1")
    task = int(shown.split("Created task:")[1].split()[0])
    hub.tasks.append(task)
    assert hub.admin.getTaskRequest(task)[:2] == [[["git://x#1"], ["git://y#1"]], desk.target]


def test_dist_repo(command, desk, hub):
    """A task, and a repo that waits for its content."""
    command("dist-repo", "--nowait", "--allow-missing-signatures", "--arch=x86_64", desk.dest)
    (row,) = hub.admin.listTasks({"method": "distRepo"}, {"order": "-id", "limit": 1})
    task = row["id"]
    hub.tasks.append(task)
    tag, repo, keys, options = hub.admin.getTaskRequest(task)
    assert (tag, keys, options["arch"], options["allow_missing_signatures"]) == (desk.dest, [], ["x86_64"], True)
    assert hub.admin.repoInfo(repo)["dist"] is True


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_promote_build(command, desk, hub):
    """A draft becomes a build like another."""
    made = desk.build(draft=True)
    command("promote-build", f"{made.package.nvr},draft_{made.id}")
    assert hub.admin.getBuild(made.package.nvr)["id"] == made.id
