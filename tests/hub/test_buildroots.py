"""Buildroots: states, ownership, and what may stand in one (contract 4.0.6, 7.2)."""

import koji
import pytest


@pytest.fixture
def task(builder):
    """An OPEN task."""
    return builder.open_task()


@pytest.fixture
def root(hub, builder, task):
    """A new buildroot of the task."""
    return builder.session.host.newBuildRoot(hub.repo(builder), "x86_64", task_id=task)


@pytest.fixture
def bash(hub):
    """An entry for an rpm of a new external repo."""
    name = hub.external_repo()
    location = hub.admin.getExternalRepo(name)["id"]
    return {
        "name": "bash", "version": "5.2", "release": "1", "epoch": None, "arch": "x86_64", "size": 10, "buildtime": 20,
        "payloadhash": "a" * 32, "location": location, "external_repo": {"external_repo_name": name},
    }  # fmt: skip


def test_new_buildroot(hub, builder, task, root):
    """It is INIT, on this host, for this task."""
    (row,) = hub.admin.listBuildroots(taskID=task)
    assert (row["id"], row["state"], row["host_id"], row["host_name"]) == (root, 0, builder.id, builder.name)
    assert (row["arch"], row["retire_ts"], row["container_type"]) == ("x86_64", None, "chroot")
    assert row == hub.admin.getBuildroot(root)
    assert [found["id"] for found in hub.admin.listBuildroots(hostID=builder.id, state=[0, 1, 2])] == [root]
    assert hub.admin.listBuildroots(hostID=builder.id, state=[3]) == []
    assert [found["id"] for found in hub.admin.listBuildroots(buildrootID=[root])] == [root]


def test_unknown_buildroot(hub, builder):
    """It is named."""
    assert hub.admin.getBuildroot(10**9) is None
    with pytest.raises(koji.GenericError, match="No such buildroot: 1000000000"):
        hub.admin.getBuildroot(10**9, strict=True)
    with pytest.raises(koji.GenericError, match="no buildroot with ID: 1000000000"):
        builder.session.host.setBuildRootState(10**9, "EXPIRED")


def test_states(hub, builder, root):
    """INIT, BUILDING, EXPIRED; never back, and expiring twice is fine."""
    with pytest.raises(koji.GenericError, match="Cannot change buildroot state to INIT"):
        builder.session.host.setBuildRootState(root, "INIT")
    builder.session.host.setBuildRootState(root, "BUILDING")
    assert hub.admin.getBuildroot(root)["state"] == 2
    builder.session.host.setBuildRootState(root, 3)
    row = hub.admin.getBuildroot(root)
    assert row["state"] == 3
    assert row["retire_ts"] > 0
    builder.session.host.setBuildRootState(root, "EXPIRED")
    with pytest.raises(koji.GenericError, match=f"buildroot {root} is EXPIRED"):
        builder.session.host.setBuildRootState(root, "BUILDING")


def test_list_and_update(hub, builder, root, bash):
    """What stood there first and what came with the build are told apart; known ones are not listed twice."""
    builder.session.host.setBuildRootList(root, [bash])
    builder.session.host.setBuildRootState(root, "BUILDING")
    sed = bash | {"name": "sed", "epoch": 1, "payloadhash": "b" * 32}
    builder.session.host.updateBuildRootList(root, [bash, sed])
    rows = {row["name"]: row for row in hub.admin.listRPMs(componentBuildrootID=root)}
    assert {name: row["is_update"] for name, row in rows.items()} == {"bash": False, "sed": True}
    assert (rows["sed"]["epoch"], rows["sed"]["payloadhash"]) == (1, "b" * 32)
    assert rows["bash"]["external_repo_id"] == bash["location"]
    assert rows["bash"]["build_id"] is None
    assert {row["name"] for row in hub.admin.getBuildrootListing(root)} == {"bash", "sed"}


def test_list_twice(builder, root, bash):
    """The second list with the same rpms is the database's error."""
    builder.session.host.setBuildRootList(root, [bash])
    with pytest.raises(koji.xmlrpcplus.Fault) as caught:
        builder.session.host.setBuildRootList(root, [bash])
    assert caught.value.faultCode == 1
    assert "duplicate key value violates unique constraint" in caught.value.faultString


def test_list_in_the_wrong_state(builder, root, bash):
    """The list belongs to INIT, updates to BUILDING."""
    with pytest.raises(koji.GenericError, match=f"buildroot {root} in wrong state 0"):
        builder.session.host.updateBuildRootList(root, [bash])
    builder.session.host.setBuildRootState(root, "BUILDING")
    with pytest.raises(koji.GenericError, match=f"buildroot {root} in wrong state 2"):
        builder.session.host.setBuildRootList(root, [bash])
    builder.session.host.setBuildRootState(root, "EXPIRED")
    with pytest.raises(koji.GenericError, match=f"buildroot {root} in wrong state 3"):
        builder.session.host.updateBuildRootList(root, [bash])


def test_unknown_rpm(hub, builder, root, bash):
    """An rpm the hub does not know spoils the whole list."""
    stranger = {name: bash[name] for name in ("version", "release", "epoch", "arch")} | {"name": "stranger"}
    with pytest.raises(koji.GenericError, match=r"No such rpm: \{.*'name': 'stranger'"):
        builder.session.host.setBuildRootList(root, [bash, stranger])
    assert hub.admin.listRPMs(componentBuildrootID=root) == []


def test_unknown_rpm_id(builder, root):
    """An id the hub does not know is no rpm either."""
    with pytest.raises(koji.GenericError, match=r"No such rpm: \{'id': 1000000000\}"):
        builder.session.host.setBuildRootList(root, [{"id": 10**9}])


def test_changed_hash(builder, root, bash):
    """An external rpm that changed under the same name is refused with both hashes."""
    builder.session.host.setBuildRootList(root, [bash])
    builder.session.host.setBuildRootState(root, "BUILDING")
    shown = f"bash-5.2-1.x86_64@{bash['external_repo']['external_repo_name']}"
    with pytest.raises(koji.GenericError, match=rf"hash changed for external rpm: {shown} \(a{{32}} -> b{{32}}\)"):
        builder.session.host.updateBuildRootList(root, [bash | {"payloadhash": "b" * 32}])


@pytest.mark.parametrize("field", ["name", "version", "release", "epoch", "arch", "payloadhash", "size", "buildtime"])
def test_fields_of_an_external_rpm(builder, root, bash, field):
    """All eight must be there, with their types."""
    missing = {name: value for name, value in bash.items() if name != field}
    with pytest.raises(koji.GenericError, match=f"{field} field missing: "):
        builder.session.host.setBuildRootList(root, [missing])
    with pytest.raises(koji.GenericError, match=f"Invalid value for {field}: "):
        builder.session.host.setBuildRootList(root, [bash | {field: 1.5}])


def test_unknown_external_repo(builder, root, bash):
    """A location that is no external repo is named."""
    with pytest.raises(koji.GenericError, match="No such entry in table external_repo: 1000000000"):
        builder.session.host.setBuildRootList(root, [bash | {"location": 10**9}])


@pytest.mark.parametrize("call", ["setBuildRootState", "setBuildRootList", "updateBuildRootList"])
def test_buildroot_of_another_host(other, root, call):
    """Only its host may touch it."""
    argument = "BUILDING" if call == "setBuildRootState" else []
    with pytest.raises(koji.ActionNotAllowed, match=f"Host {other.id} not owner of buildroot {root}"):
        other.session.callMethod(f"host.{call}", root, argument)


def test_task_must_be_held(hub, builder, other, task, root):
    """A task id given must be this host's OPEN task, and the buildroot's."""
    with pytest.raises(koji.ActionNotAllowed, match=f"host {other.id} does not own task {task}"):
        other.session.host.newBuildRoot(hub.repo(other), "x86_64", task_id=task)
    second = builder.open_task()
    with pytest.raises(koji.ActionNotAllowed, match=f"Task {second} does not have lock on buildroot {root}"):
        builder.session.host.setBuildRootState(root, "BUILDING", task_id=second)
    hub.admin.cancelTask(task)
    with pytest.raises(koji.ActionNotAllowed, match=f"host {builder.id} does not own task {task}"):
        builder.session.host.setBuildRootState(root, "EXPIRED", task_id=task)
    builder.session.host.setBuildRootState(root, "EXPIRED")


def test_repo_must_exist(builder):
    """A buildroot of no repo is the database's error."""
    with pytest.raises(koji.xmlrpcplus.Fault) as caught:
        builder.session.host.newBuildRoot(10**9, "x86_64", task_id=builder.open_task())
    assert caught.value.faultCode == 1


def test_task_must_be_named(hub, builder):
    """The same without a task."""
    with pytest.raises(koji.xmlrpcplus.Fault) as caught:
        builder.session.host.newBuildRoot(hub.repo(builder), "x86_64")
    assert caught.value.faultCode == 1
