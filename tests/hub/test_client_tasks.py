"""Tasks that people ask for, policies that builders ask about, and tasks that tell people."""

import shutil

import koji
import pytest


@pytest.fixture
def plain(hub):
    """A session of somebody without permissions, and the user's id."""
    session = hub.session(hub.user())
    return session, session.getLoggedInUser()["id"]


@pytest.fixture
def stock(hub):
    """The policies of the code, and notifications."""
    if not hasattr(hub, "mini") and hub.admin.showOpts(as_string=False)["DisableNotifications"]:
        pytest.skip("not here: that hub tells nobody and has policies of its own")


def task(hub, task_id):
    """A task that is cancelled at the end."""
    hub.tasks.append(task_id)
    return hub.admin.getTaskInfo(task_id, request=True)


def test_build(hub, plain):
    """Anybody may ask for one; its place in the queue is relative."""
    info = task(hub, plain[0].build("cli-build/x.src.rpm", "target", {"scratch": True}, priority=5))
    assert (info["method"], info["priority"], info["owner"]) == ("build", koji.PRIO_DEFAULT + 5, plain[1])
    assert info["request"] == ["cli-build/x.src.rpm", "target", {"scratch": True}]


def test_place_in_the_queue(plain):
    """Only administrators go ahead of others."""
    for call in (lambda: plain[0].build("x", "y", priority=-1), lambda: plain[0].chainBuild([["x"]], "y", priority=-1)):
        with pytest.raises(koji.ActionNotAllowed, match="only admins may create high-priority tasks"):
            call()


def test_chain_build(hub, plain):
    """Levels of sources."""
    info = task(hub, plain[0].chainBuild([["git://a"], ["git://b"]], "target"))
    assert (info["method"], info["request"]) == ("chainbuild", [[["git://a"], ["git://b"]], "target", {}])


def test_restart_hosts(hub, plain):
    """Administrators of hosts only."""
    with pytest.raises(koji.ActionNotAllowed, match="host permission required"):
        plain[0].restartHosts()
    info = task(hub, hub.admin.restartHosts(options={"hosts": "x"}))
    assert (info["method"], info["priority"], info["request"]) == ("restartHosts", 5, [{"hosts": "x"}])


def test_open_policies(desk, plain, stock):
    """Anybody's rpm may be built; only administrators' builds come from a source package, an SCM or a repo."""
    desk.host.assertPolicy("build_rpm", {"user_id": plain[1]})
    admin = desk.admin.getLoggedInUser()["id"]
    for name in ("build_from_srpm", "build_from_repo_id", "build_from_scm"):
        match = rf"policy violation \({name}\): Only admin can do this via default policy"
        with pytest.raises(koji.ActionNotAllowed, match=match):
            desk.host.assertPolicy(name, {"user_id": plain[1]})
        assert desk.host.evalPolicy(name, {"user_id": plain[1]}) == "deny Only admin can do this via default policy"
        assert desk.host.checkPolicy(name, {"user_id": plain[1]})[0] is False
        desk.host.assertPolicy(name, {"user_id": admin})
        assert desk.host.evalPolicy(name, {"user_id": admin}) == "allow"


def test_unknown_policy(desk):
    """There is nothing to evaluate."""
    with pytest.raises(koji.GenericError, match="no such policy: nonsense"):
        desk.host.evalPolicy("nonsense", {})


def told(hub, method, build_id):
    """Requests of the tasks that tell somebody of a build."""
    found = hub.admin.listTasks({"method": method, "decode": True}, {"order": "-id", "limit": 20})
    for row in found:
        hub.tasks.append(row["id"])
    place = {"buildNotification": lambda args: args[1]["id"], "tagNotification": lambda args: args[4]}[method]
    return [row["request"] for row in found if place(row["request"]) == build_id]


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_build_notification(desk, hub, stock):
    """The owner is told of the end of a build, good or bad."""
    made = desk.build()
    (request,) = told(hub, "buildNotification", made.id)
    recipients, build, target, _url = request
    assert hub.admin_credentials.user in {address.split("@")[0] for address in recipients}
    assert (build["nvr"], target["name"]) == (made.package.nvr, desk.target)
    failed, other = desk.package(), desk.task()
    build_id = desk.begin(failed, other)
    desk.host.failBuild(other, build_id)
    (request,) = told(hub, "buildNotification", build_id)
    assert koji.BUILD_STATES[request[1]["state"]] == "FAILED"


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_tag_notification(desk, hub, stock):
    """The owner is told of a tagging, unless nobody wants to hear of success."""
    made = desk.build()
    owner = desk.admin.getLoggedInUser()["id"]
    tag = desk.admin.getTagID(desk.dest)
    desk.host.tagNotification(True, tag, None, made.id, owner, True)
    assert told(hub, "tagNotification", made.id) == []
    desk.host.tagNotification(False, tag, None, made.id, owner, True, "TagError: no")
    (request,) = told(hub, "tagNotification", made.id)
    assert request[1:] == [False, tag, None, made.id, owner, True, "TagError: no"]


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_asked_to_be_told(desk, hub, plain, stock):
    """A user who asked for a package's builds gets them."""
    package = desk.package()
    package_id = desk.admin.getPackageID(package.name)
    plain[0].createNotification(plain[1], package_id, None, False)
    assert [row["package_id"] for row in plain[0].getBuildNotifications(plain[1])] == [package_id]
    made = desk.build(package)
    (request,) = told(hub, "buildNotification", made.id)
    name = plain[0].getLoggedInUser()["name"]
    assert name in {address.split("@")[0] for address in request[0]}


def test_runroot(minihub):
    """The plugin's call: a concrete arch where not every host can make a root."""
    minihub.add_host("builder", "x86_64")
    minihub.add_host("arm", "aarch64", channels=())
    minihub.add_tag("t", "x86_64")
    task_id = minihub.call("runroot", "t", "noarch", ["id"], repo_id=1)
    info = minihub.call("getTaskInfo", task_id, request=True)
    assert (info["method"], info["arch"], info["priority"]) == ("runroot", "x86_64", 15)
    assert info["request"] == ["t", "noarch", ["id"], {"repo_id": 1, "__starstar": True}]
    assert minihub.call("getChannel", info["channel_id"])["name"] == "runroot"


def test_save_failed_tree(minihub, builder_of, documents):
    """The plugin's call: only of a failed buildArch task, on the host that has its root."""
    builder = builder_of(minihub)
    minihub.add_tag("t", "x86_64")
    repo = minihub.add_repo("t")
    failed = builder.open_task("buildArch", ["x", "t", "x86_64", True, {}], arch="x86_64")
    root = builder.session.host.newBuildRoot(repo, "x86_64", task_id=failed)
    with pytest.raises(koji.PreBuildError, match=f"Task {failed} has not failed"):
        minihub.call("saveFailedTree", root)
    builder.session.host.failTask(failed, documents.fault(1005, "no"))
    task_id = minihub.call("saveFailedTree", root, True)
    info = minihub.call("getTaskInfo", task_id, request=True)
    assert (info["host_id"], info["request"]) == (builder.id, [root, True])
    assert koji.TASK_STATES[info["state"]] == "ASSIGNED"
