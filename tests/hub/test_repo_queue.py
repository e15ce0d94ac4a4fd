"""Repos that people and builds ask for: a request, a newRepo task, a repo that answers it."""

import json
import shutil
import time

import koji
import pytest
import requests

STATES = koji.REPO_STATES


class Repos:
    """Makes repos of a tag as newRepo and createrepo tasks do."""

    def __init__(self, desk):
        self.desk, self.admin, self.host = desk, desk.admin, desk.host
        self.tag = desk.build_tag

    def request(self, **options):
        return self.admin.repo.request(self.tag, **({"min_event": "last"} | options))

    def task_of(self, request):
        """The task for a request, which the queue gives it."""
        deadline = time.monotonic() + 120
        while True:
            self.admin.repo.checkQueue()
            found = self.admin.repo.checkRequest(request["id"])
            if found["request"]["task_id"]:
                self.desk.hub.tasks.append(found["request"]["task_id"])
                return found["task"]
            assert time.monotonic() < deadline

    def make(self, task=None, upload=b"<repomd/>", **options):
        """RepoInit and repoDone; ids of repo and event."""
        holder = task or self.desk.task()
        repo, event = self.host.repoInit(self.tag, task_id=holder, **options)
        self.desk.builder.upload(holder, "repomd.xml", upload)
        self.host.repoDone(repo, {"x86_64": [koji.pathinfo.taskrelpath(holder), ["repomd.xml"]]})
        return repo, event

    def lines(self, repo, name, arch="x86_64"):
        answer = requests.get(f"{self.desk.hub.topurl}/repos/{self.tag}/{repo}/{arch}/{name}", timeout=120)
        assert answer.status_code == 200
        return answer.text.splitlines()


@pytest.fixture
def repos(desk):
    yield Repos(desk)
    desk.answer_requests()


def test_request(repos):
    """From a request to a repo; afterwards the repo is the answer."""
    asked = repos.request()
    assert (asked["repo"], asked["duplicate"], asked["request"]["active"]) == (None, False, True)
    assert repos.request()["duplicate"] is True
    task = repos.task_of(asked["request"])
    assert (task["method"], task["priority"], task["arch"]) == ("newRepo", 15, "noarch")
    request = repos.admin.getTaskRequest(task["id"])
    assert request[0] == {"id": repos.admin.getTagID(repos.tag), "name": repos.tag}
    assert repos.host.openTask(task["id"])
    repo, event = repos.make(task["id"], opts={})
    repos.desk.builder.close(task["id"], [repo, event])
    found = repos.admin.repo.checkRequest(asked["request"]["id"])
    assert (found["repo"]["id"], found["request"]["active"]) == (repo, False)
    answer = repos.request()
    assert (answer["repo"]["id"], answer["request"]) == (repo, None)


def test_repo(repos, hub):
    """What a repo says of itself, and its files."""
    repo, event = repos.make()
    info = repos.admin.repoInfo(repo)
    assert (STATES[info["state"]], info["create_event"], info["tag_name"]) == ("READY", event, repos.tag)
    assert info["begin_event"] <= event
    assert info["end_event"] is None
    assert (info["opts"], info["custom_opts"]) == (
        {"src": False, "debuginfo": False, "separate_src": False, "maven": False}, {},
    )  # fmt: skip
    assert repos.admin.getRepo(repos.tag)["id"] == repo
    base = f"{hub.topurl}/repos/{repos.tag}"
    for where in (repo, "latest"):
        assert requests.get(f"{base}/{where}/x86_64/repodata/repomd.xml", timeout=120).content == b"<repomd/>"
    described = requests.get(f"{base}/{repo}/repo.json", timeout=120).json()
    assert (described["id"], described["event_id"], described["tag"]) == (repo, event, repos.tag)


def test_change_of_the_tag(repos):
    """A repo ends with the next change of its tag, and a new one is needed."""
    repo, event = repos.make()
    repos.admin.editTag2(repos.tag, extra={"mock.new_chroot": 0})
    changed = repos.admin.tagLastChangeEvent(repos.tag)
    assert changed > event
    asked = repos.request()
    assert (asked["repo"], asked["request"]["min_event"]) == (None, changed)
    assert repos.request(min_event=event)["repo"]["id"] == repo
    assert repos.request(min_event=None, at_event=event)["repo"]["id"] == repo


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_packages_of_a_repo(repos, desk):
    """The newest build of each package, own and inherited, by arch; blocked ones are listed as that."""
    link = {"priority": 0, "maxdepth": None, "intransitive": False, "noconfig": False, "pkg_filter": ""}
    desk.admin.setInheritanceData(desk.build_tag, [link | {"parent_id": desk.admin.getTagID(desk.dest)}])
    old = desk.build()
    new = desk.build(desk.package(name=old.package.name, release="2"))
    noarch = desk.build(desk.package(noarch=True))
    blocked = desk.build()
    for made in (old, new, noarch, blocked):
        desk.tagged(desk.dest, made)
    desk.admin.packageListBlock(desk.build_tag, blocked.package.name)
    repo, _event = repos.make()
    rows = [json.loads(line) for line in repos.lines(repo, "rpmlist.jsonl")]
    assert {(row["build_id"], row["arch"]) for row in rows} == {(new.id, "x86_64"), (noarch.id, "noarch")}
    assert repos.lines(repo, "blocklist") == [blocked.package.name]
    for line in repos.lines(repo, "pkglist"):
        base = f"{desk.hub.topurl}/repos/{repos.tag}/{repo}/x86_64"
        assert requests.head(f"{base}/{line}", timeout=120).status_code == 200


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_repo_of_an_event(repos, desk):
    """With the builds that were tagged then."""
    made = desk.build()
    desk.admin.packageListAdd(desk.build_tag, made.package.name, owner=desk.hub.admin_credentials.user)
    before = desk.admin.getLastEvent()["id"]
    desk.tagged(desk.build_tag, made)
    repo, event = repos.make(event=before)
    assert event == before
    assert repos.lines(repo, "pkglist") == []
    assert repos.admin.repoInfo(repo)["end_event"] > before


@pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="needs rpmbuild")
def test_sources(repos, desk):
    """Source packages where an option says so; such a repo is not what others ask for."""
    made = desk.build()
    desk.admin.packageListAdd(desk.build_tag, made.package.name, owner=desk.hub.admin_credentials.user)
    desk.tagged(desk.build_tag, made)
    repo, _event = repos.make(opts={"separate_src": True})
    assert [line.rsplit("/", 1)[1] for line in repos.lines(repo, "pkglist", "src")] == [made.package.srpm.name]
    assert repos.admin.repoInfo(repo)["custom_opts"] == {"separate_src": True}
    assert repos.request()["repo"] is None
    assert repos.request(opts={"separate_src": True})["repo"]["id"] == repo


def test_failed_task_is_followed_by_another(repos, documents):
    """A request is not given up at the first failure."""
    asked = repos.request()
    task = repos.task_of(asked["request"])
    assert repos.host.openTask(task["id"])
    repos.host.failTask(task["id"], documents.fault(1000, "no"))
    deadline = time.monotonic() + 120
    while repos.task_of(asked["request"])["id"] == task["id"]:
        assert time.monotonic() < deadline
    assert repos.admin.repo.checkRequest(asked["request"]["id"])["request"]["tries"] == 2


def test_done_twice(repos):
    """Only a repo in state INIT can be done."""
    repo, _event = repos.make()
    with pytest.raises(koji.GenericError, match=rf"Repo {repo} not in INIT state \(got 1\)"):
        repos.host.repoDone(repo, {})


def test_done_without_its_files(repos):
    """A file or an arch that is not there is named, and the repo is not ready."""
    repo, _event = repos.host.repoInit(repos.tag)
    with pytest.raises(koji.GenericError, match=r"uploaded file missing: .*/work/tasks/1/1/repomd\.xml"):
        repos.host.repoDone(repo, {"x86_64": ["tasks/1/1", ["repomd.xml"]]})
    with pytest.raises(koji.GenericError, match=r"Repo arch directory missing: .*/s390x"):
        repos.host.repoDone(repo, {"s390x": ["tasks/1/1", []]})
    assert STATES[repos.admin.repoInfo(repo)["state"]] == "INIT"


def test_states(repos, hub):
    """Onwards only, by those who may."""
    repo, _event = repos.make()
    with pytest.raises(koji.ActionNotAllowed, match="repo permission required"):
        hub.session(hub.user()).repoExpire(repo)
    repos.admin.repoExpire(repo)
    assert repos.admin.getRepo(repos.tag) is None
    with pytest.raises(koji.GenericError, match=f"Invalid repo state transition for repo {repo}: EXPIRED -> READY"):
        repos.admin.repo.setState(repo, STATES["READY"])


def test_deleted(repos, builder):
    """Not as long as a buildroot uses it."""
    repo, _event = repos.make()
    root = builder.session.host.newBuildRoot(repo, "x86_64", task_id=repos.desk.task())
    assert repos.admin.repoDelete(repo) == 1
    builder.session.host.setBuildRootState(root, "EXPIRED")
    assert repos.admin.repoDelete(repo) == 0
    assert STATES[repos.admin.repoInfo(repo)["state"]] == "DELETED"


def test_bad_requests(repos, hub):
    """Each is told why."""
    with pytest.raises(koji.ParameterError, match="The min_event and at_event options conflict"):
        repos.request(min_event=1, at_event=1)
    with pytest.raises(koji.ParameterError, match="Invalid event: 99999999"):
        repos.request(min_event=99999999)
    with pytest.raises(koji.ParameterError, match="Invalid repo option: nonsense"):
        repos.request(opts={"nonsense": True})
    with pytest.raises(koji.GenericError, match="No such request"):
        repos.admin.repo.checkRequest(99999999)
    with pytest.raises(koji.ActionNotAllowed, match="only admins may create high-priority requests"):
        hub.session(hub.user()).repo.request(repos.tag, priority=-1)


def test_new_repo_by_hand(repos, hub):
    """A task at once, for those who may."""
    with pytest.raises(koji.ActionNotAllowed, match="regen-repo permission required"):
        hub.session(hub.user()).newRepo(repos.tag)
    task = repos.admin.newRepo(repos.tag, separate_src=True)
    hub.tasks.append(task)
    request = repos.admin.getTaskRequest(task)
    assert request == [repos.tag, {"separate_src": True, "__starstar": True}]


def test_query(repos):
    """Repos by any of their fields."""
    task = repos.desk.task()
    repo, event = repos.host.repoInit(repos.tag, task_id=task)
    asked = [["task_id", "=", task], ["state", "IN", [STATES["INIT"], STATES["READY"]]]]
    assert repos.admin.repo.query(asked, ["id", "create_event"], {"order": "-id"}) == [
        {"id": repo, "create_event": event}
    ]
    assert repos.admin.repo.query([["task_id", task], ["state", "!=", STATES["INIT"]]], ["id"]) == []
    with pytest.raises(koji.ParameterError, match="Invalid field for query nonsense"):
        repos.admin.repo.query([["id", repo]], ["nonsense"])
    with pytest.raises(koji.ParameterError, match="Invalid operator: LIKE"):
        repos.admin.repo.query([["id", "like", repo]])


def test_external_repo_that_changed(repos, hub):
    """A tag is older than what it draws on, when that was seen to change."""
    name = hub.external_repo()
    known = {row["external_repo_name"]: row for row in repos.admin.getTagExternalRepos(repos.tag)}
    assert name not in known
    repos.admin.addExternalRepoToTag(repos.tag, name, 5, merge_mode="bare")
    _repo, event = repos.make()
    external = repos.admin.getExternalRepo(name)["id"]
    repos.admin.repo.setExternalRepoData(external, {"max_ts": 7})
    assert repos.admin.repo.getExternalRepoData(external) == {"max_ts": 7}
    assert repos.admin.tagLastChangeEvent(repos.tag) > event
    assert repos.request()["repo"] is None
    (row,) = repos.admin.getExternalRepoList(repos.tag)
    assert (row["external_repo_name"], row["priority"], row["merge_mode"]) == (name, 5, "bare")
    repos.admin.removeExternalRepoFromTag(repos.tag, name)
    assert repos.admin.getExternalRepoList(repos.tag) == []
