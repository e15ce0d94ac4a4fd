"""The scheduler looks after requests for repos, without a caller and with a clock in the test's hand."""

import dataclasses
import sqlite3

import koji
import pytest

from koji_adjutant.errors import HubError
from koji_adjutant.minihub import MiniHub


@pytest.fixture
def asked(hub):
    """A tag and a request for a repo of it."""
    hub.add_tag("t", "x86_64")
    return hub.call("repo.request", "t", min_event="last")["request"]["id"]


def request(hub, request_id):
    return hub.call("repo.checkRequest", request_id)["request"]


def test_a_round_makes_the_task(hub, asked):
    """It is kojira's where there is such a user, else the administrator's."""
    hub.add_user("kojira")
    hub.run_scheduler()
    found = hub.call("repo.checkRequest", asked)
    owner = hub.call("getUser", found["task"]["owner"])["name"]
    assert (found["task"]["method"], owner, found["request"]["tries"]) == ("newRepo", "kojira", 1)
    hub.run_scheduler()
    assert request(hub, asked)["task_id"] == found["task"]["id"]


def test_given_up(hub, asked):
    """After RepoRetries further tasks the request ends without a repo."""
    hub.state.options = dataclasses.replace(hub.state.options, repo_retries=1)
    tasks = []
    for _ in range(3):
        hub.run_scheduler()
        tasks.append(request(hub, asked)["task_id"])
        hub.call("cancelTask", tasks[-1])
    assert len(set(tasks)) == 2
    found = request(hub, asked)
    assert (found["active"], found["repo_id"]) == (False, None)


def test_not_too_many_at_once(hub):
    """MaxRepoTasks bounds them."""
    hub.state.options = dataclasses.replace(hub.state.options, max_repo_tasks=2)
    for number in range(3):
        hub.add_tag(f"t{number}", "x86_64")
        hub.call("repo.request", f"t{number}", min_event="last")
    hub.run_scheduler()
    rows = hub.call("repo.queryQueue", fields=["task_id"])
    assert [row["task_id"] is None for row in rows] == [False, False, True]


def test_task_that_made_no_repo(hub, asked):
    """Its success is not believed."""
    hub.run_scheduler()
    task = request(hub, asked)["task_id"]
    hub.state.db.run(
        "UPDATE task SET state = 2, result = ? WHERE id = ?",
        (koji.xmlrpcplus.dumps(([999, 1],), methodresponse=1), task),
    )
    hub.run_scheduler()
    found = request(hub, asked)
    assert (found["active"], found["tries"]) == (True, 2)
    assert found["task_id"] != task


def test_lag(hub, clock):
    """With RepoLag a repo may be older than the newest changes of its tag."""
    hub.state.options = dataclasses.replace(hub.state.options, repo_lag=100.0)
    hub.add_tag("t", "x86_64")
    first = hub.call("tagLastChangeEvent", "t")
    clock.pass_by(1000.0)
    hub.add_package("t", "p")
    last = hub.call("tagLastChangeEvent", "t")
    assert hub.call("repo.request", "t")["request"]["min_event"] == first < last
    clock.pass_by(101.0)
    assert hub.call("repo.request", "t")["request"]["min_event"] == last
    assert hub.call("repo.request", "t", min_event="last")["duplicate"] is True


def test_trusted_users(hub, builder):
    """Who is trusted may build from a source package, others may not."""
    ids = {name: hub.call("createUser", name) for name in ("friend", "stranger")}
    hub.state.options = dataclasses.replace(hub.state.options, trusted_users=("friend",))
    builder("host.assertPolicy", "build_from_srpm", {"user_id": ids["friend"]})
    with pytest.raises(koji.ActionNotAllowed, match="Only admin can do this"):
        builder("host.assertPolicy", "build_from_srpm", {"user_id": ids["stranger"]})


def test_tag_reached_twice(hub):
    """Of two ways to a tag the second counts only where it lets more through."""
    for name in ("top", "left", "right", "tag"):
        hub.add_tag(name, "x86_64")
    link = {"maxdepth": None, "intransitive": False, "noconfig": False, "pkg_filter": ""}
    ids = {name: hub.call("getTagID", name) for name in ("top", "left", "right", "tag")}

    def inherit(child, *parents):
        links = [
            link | {"parent_id": ids[name], "priority": place} | limits for place, (name, limits) in enumerate(parents)
        ]
        hub.call("setInheritanceData", child, links, clear=True)

    def order():
        return [entry["name"] for entry in hub.call("getFullInheritance", "tag")]

    inherit("left", ("top", {}))
    inherit("right", ("top", {}))
    inherit("tag", ("left", {}), ("right", {}))
    assert order() == ["left", "top", "right"]
    inherit("tag", ("left", {"pkg_filter": "^x"}), ("right", {}))
    assert order() == ["left", "top", "right", "top"]
    inherit("top", ("tag", {}))
    assert order() == ["left", "top", "right", "top"]
    reverse = hub.call("getFullInheritance", "top", reverse=True)
    assert {entry["name"] for entry in reverse} == {"left", "right", "tag"}


def test_data_of_another_version(tmp_path):
    """It is told as that, and not touched."""
    MiniHub(tmp_path / "hub").stop()
    path = tmp_path / "hub" / "hub.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 1")
    database.close()
    with pytest.raises(HubError, match="an embedded hub of another version") as caught:
        MiniHub(tmp_path / "hub")
    assert "remove this one" in caught.value.resolution
