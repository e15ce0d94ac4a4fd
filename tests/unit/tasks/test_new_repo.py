"""The task `newRepo` over several daemons and hosts: one repo, one child for each arch, whatever dies."""

import json

import koji
import koji.tasks
import pytest

from koji_adjutant.tasks.new_repo import NewRepoTask, arches_of
from tests.support.task_scene import TASK, Killed, Scene

TAG = {"id": 7, "name": "tag-build", "extra": {}}


class Hub:
    """Has a tag of two arches, and makes repos below its topdir."""

    def __init__(self, topdir):
        self.topdir = topdir
        self.tags = {7: TAG, 8: {"id": 8, "name": "parent", "extra": {}}, "hint": {"id": 9, "name": "hinted"}}
        self.repos = {}
        self.old = {}
        """Tag id -> READY repo."""
        self.children = {}
        """Label -> (id, request)."""
        self.externals = []
        self.done = []
        self.queryable = True

    def add_files(self, tag, repo_id, *, pkglist="toplink/a.rpm\n", **flags):
        """Make a repo's directory as repoInit does."""
        top = self.topdir / "repos" / tag / str(repo_id)
        for arch in ("x86_64", "i386"):
            (top / arch).mkdir(parents=True)
            (top / arch / "pkglist").write_text(pkglist)
            (top / arch / "blocklist").touch()
        (top / "groups").mkdir()
        (top / "repo.json").write_text(json.dumps(flags))
        return top

    def getTag(self, tag, strict=False, event=None):
        key = tag["id"] if isinstance(tag, dict) else tag
        return self.tags.get(key)

    def host_repoInit(self, tag, *, opts, task_id, event=None):
        repo_id = 100 + len(self.repos)
        self.repos[repo_id] = {"id": repo_id, "create_event": event or 55, "state": koji.REPO_INIT, "task_id": task_id}
        self.asked = opts
        self.add_files("tag-build", repo_id)
        return [repo_id, event or 55]

    def repo_query(self, clauses, fields, opts):
        if not self.queryable:
            raise koji.GenericError("Invalid method: repo.query")
        assert clauses[0] == ["task_id", "=", TASK]
        rows = [row for row in self.repos.values() if row["state"] in clauses[1][2]]
        return [{name: row[name] for name in fields} for row in reversed(rows)]

    def repoInfo(self, repo_id, strict):
        return self.repos[repo_id]

    def getRepo(self, tag):
        return self.old.get(tag)

    def getFullInheritance(self, tag):
        return [
            {"parent_id": 10, "name": "far", "currdepth": 2},
            {"parent_id": 8, "name": "parent", "currdepth": 1},
        ]

    def getExternalRepoList(self, tag, event):
        return self.externals

    def host_subtask(self, *, method, arglist, label, parent, arch):
        assert (method, parent, arch) == ("createrepo", TASK, "noarch")
        return self.children.setdefault(label, (60 + len(self.children), arglist))[0]

    def getTaskInfo(self, task, request=False):
        return {"request": next(arglist for child, arglist in self.children.values() if child == task)}

    def host_taskSetWait(self, task, children):
        self.awaited = children

    def host_taskWait(self, task):
        return [self.awaited, []]

    def host_taskWaitResults(self, task, children, canfail):
        return [[child, [f"tasks/{child}", ["repomd.xml"]]] for child in children]

    def host_repoDone(self, repo_id, data, **more):
        if self.repos[repo_id]["state"] != koji.REPO_INIT:
            raise koji.GenericError("Repo not in INIT state")
        self.repos[repo_id]["state"] = koji.REPO_READY
        self.done.append((repo_id, data, more))

    def rawUpload(self, *_, **__):
        raise AssertionError("nothing is uploaded")


@pytest.fixture
def hub(tmp_path):
    (tmp_path / "topdir" / "repos").mkdir(parents=True)
    return Hub(tmp_path / "topdir")


@pytest.fixture
def scene(tmp_path, hub):
    def make(*params, **options):
        return Scene(tmp_path, NewRepoTask, hub, *params, topdir=str(hub.topdir), **options)

    return make


DATA = {"i386": ["tasks/60", ["repomd.xml"]], "x86_64": ["tasks/61", ["repomd.xml"]]}


def test_a_repo(scene, hub):
    """A child for each arch that the hub has made, labelled by it; the result is repo and event."""
    assert scene({"id": 7, "name": "tag-build"}).task().run() == [100, 55]
    assert hub.children == {"i386": (60, [100, "i386", None]), "x86_64": (61, [100, "x86_64", None])}
    assert hub.done == [(100, DATA, {})]


def test_an_event_and_options(scene, hub):
    """Both reach the hub; what an old hub passes as arguments becomes options."""
    assert scene(7, 44, True, None, False).task().run() == [100, 44]
    assert hub.asked == {"src": True, "separate_src": False}


def test_options_twice(scene):
    """Old and new form together are kojid's error."""
    with pytest.raises(koji.ParameterError, match=r"^opts parameter cannot be combined with legacy options$"):
        scene(7, None, True, None, None, {"debuginfo": True}).task().run()


def test_without_topdir_another_host_may_try(scene, hub):
    """Nothing is made at the hub, and the reason is kojid's."""
    repos = hub.topdir / "repos"
    repos.rmdir()
    with pytest.raises(koji.tasks.RefuseTask) as caught:
        scene(7).task().run()
    assert str(caught.value) == f"No access to repos dir {repos}"
    assert hub.repos == {}


CALLS = ["host.repoInit", "host.subtask", "getTaskInfo", "host.taskSetWait", "host.taskWaitResults", "host.repoDone"]


@pytest.mark.parametrize("forgotten", [False, True], ids=["adopted", "begun anew"])
@pytest.mark.parametrize("when", ["die_before", "die_after"])
@pytest.mark.parametrize("call", CALLS)
def test_a_daemon_dies(scene, hub, call, when, forgotten):
    """The next daemon, or another host without the journal, ends the same repo with the same children."""
    tried = scene(7)
    with pytest.raises(Killed):
        tried.task(**{when: call}).run()
    if forgotten:
        tried.forget()
    assert tried.task().run() == [100, 55]
    assert list(hub.repos) == [100]
    assert len(hub.children) == 2
    assert hub.done == [(100, DATA, {})]


def test_an_old_hub_is_not_asked_for_repos(scene, hub):
    """Then a task begun anew makes a new repo, and children of the old one are not taken for its."""
    hub.queryable = False
    tried = scene(7)
    with pytest.raises(Killed):
        tried.task(die_after="host.taskSetWait").run()
    tried.forget()
    assert tried.task().run() == [101, 55]
    assert set(hub.children) == {"i386", "x86_64", "i386-101", "x86_64-101"}
    assert set(hub.done[0][1]) == {"i386", "x86_64"}
    assert hub.done[0][1]["i386"] == ["tasks/62", ["repomd.xml"]]


@pytest.mark.parametrize(
    ("ready", "hint", "expected"),
    [
        ({7: 1, 8: 2, 9: 3}, "hint", (7, 1)),
        ({8: 2, 9: 3}, "hint", (9, 3)),
        ({8: 2, 10: 4}, ["nowhere"], (8, 2)),
        ({10: 4}, [], (10, 4)),
        ({}, [], None),
    ],
)
def test_the_old_repo(scene, hub, ready, hint, expected):
    """The tag's own, then that of a hinted tag, then that of the nearest parent; the child is told whose it is."""
    hub.tags[7] = {**TAG, "extra": {"repo.oldrepo_hint": hint}}
    hub.old = {tag: {"id": repo, "create_event": 1} for tag, repo in ready.items()}
    scene(7).task().run()
    told = hub.children["x86_64"][1][2]
    assert (told and (told["tag_id"], told["id"])) == expected


def test_no_update_no_old_repo(scene, hub):
    """With createrepo_update off nobody looks for one."""
    hub.old = {7: {"id": 1, "create_event": 1}}
    scene(7, createrepo_update=False).task().run()
    assert hub.children["x86_64"][1][2] is None


def test_repodata_is_copied(scene, hub, monkeypatch):
    """An arch whose packages and blocks are the old ones' gets the old repodata, each arch in a directory of its own."""
    old = hub.add_files("tag-build", 1)
    hub.old = {7: {"id": 1, "create_event": 1}}
    for arch in ("x86_64", "i386"):
        (old / arch / "repodata").mkdir()
        (old / arch / "repodata" / "repomd.xml").write_text(arch)
    (old / "i386" / "pkglist").write_text("toplink/b.rpm\n")
    copied = []

    def upload(context, directory, below):
        copied.append((directory, below))
        return [f"tasks/40/{below}", ["repomd.xml"]]

    monkeypatch.setattr("koji_adjutant.tasks.new_repo.upload_directory", upload)
    scene(7, copy_old_repodata=True).task().run()
    assert copied == [(old / "x86_64" / "repodata", "x86_64")]
    data = {"x86_64": ["tasks/40/x86_64", ["repomd.xml"]], "i386": ["tasks/60", ["repomd.xml"]]}
    assert hub.done == [(100, data, {"repo_json_updates": {"cloned_from_repo_id": 1, "cloned_archs": ["x86_64"]}})]


def test_repodata_with_external_repos_is_not_copied(scene, hub):
    """Their packages may have changed meanwhile."""
    old = hub.add_files("tag-build", 1)
    (old / "x86_64" / "repodata").mkdir()
    hub.old = {7: {"id": 1, "create_event": 1}}
    hub.externals = [{"url": "http://e/"}]
    scene(7, copy_old_repodata=True).task().run()
    assert set(hub.children) == {"i386", "x86_64"}


def test_arches(tmp_path):
    """Directories with a package list, and not that of the groups."""
    for name in ("x86_64", "groups", "maven"):
        (tmp_path / name).mkdir()
    for name in ("x86_64", "groups"):
        (tmp_path / name / "pkglist").touch()
    assert arches_of(tmp_path) == ["x86_64"]
