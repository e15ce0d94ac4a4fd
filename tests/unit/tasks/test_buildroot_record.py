"""A buildroot at the hub is made once and listed once, whenever the daemon dies."""

import errno
from types import SimpleNamespace
from xmlrpc.client import Fault

import koji
import pytest
import structlog

from koji_adjutant.buildroot.faults import BuildFault
from koji_adjutant.errors import ContainerLost, DiskFull, HubError, SessionLost, TaskCancelled
from koji_adjutant.tasks import root_work
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, RepoTag, repo_tag
from koji_adjutant.tasks.context import Interruption
from koji_adjutant.tasks.journal import Journal
from koji_adjutant.tasks.root_work import OpenRoot, RootWork

REPO = RepoTag({"id": 5, "create_event": 50, "tag_id": 2, "tag_name": "t"}, {"id": 2, "name": "t", "arches": "x86_64"})
INIT, BUILDING, EXPIRED = (koji.BR_STATES[name] for name in ("INIT", "BUILDING", "EXPIRED"))


class Hub:
    """The hub's buildroots, with its rules; `die` after an act loses the reply as a kill does."""

    def __init__(self):
        self.rows, self.lists, self.added, self.die_after = [], {}, [], None
        self.host = self

    def _done(self, act, value=None):
        if self.die_after == act:
            self.die_after = None
            raise Killed
        return value

    def getID(self):
        return 1

    def newBuildRoot(self, repo, arch, task_id):
        self.rows.append({"id": len(self.rows) + 1, "repo_id": repo, "arch": arch, "task_id": task_id, "state": INIT})
        return self._done("newBuildRoot", len(self.rows))

    def listBuildroots(self, taskID, hostID, state):
        return [row for row in self.rows if row["task_id"] == taskID and row["state"] == state]

    def setBuildRootState(self, brid, state):
        self.rows[brid - 1]["state"] = koji.BR_STATES[state]

    def setBuildRootList(self, brid, entries):
        assert brid not in self.lists, "the hub takes one list only"
        self.lists[brid] = entries
        self._done("setBuildRootList")

    def updateBuildRootList(self, brid, entries):
        self.added.append((brid, entries))
        self._done("updateBuildRootList")

    def listRPMs(self, componentBuildrootID, queryOpts):
        return self.lists.get(componentBuildrootID, [])


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def record(tmp_path, hub):
    """Return a function that gives the record as a new daemon sees it."""
    path = tmp_path / "journal"
    Journal.create(path, task_id=7)

    def again():
        context = SimpleNamespace(log=structlog.get_logger())
        task = SimpleNamespace(id=7, session=hub, context=context, once=Journal.load(path).once)
        return BuildrootRecord(task, REPO, "x86_64")

    return again


def test_one_buildroot_for_all_daemons(record, hub):
    """A second daemon works on with the buildroot of the first."""
    assert record().create() == 1
    assert record().create() == 1
    assert len(hub.rows) == 1


def test_a_buildroot_whose_id_was_lost_is_found(record, hub):
    """If the reply was lost with the daemon, the fresh buildroot of the task is taken over."""
    hub.die_after = "newBuildRoot"
    with pytest.raises(Killed):
        record().create()
    assert record().create() == 1
    assert len(hub.rows) == 1


def test_what_cannot_be_attributed_is_expired(record, hub):
    """Two fresh buildroots cannot both be ours: both are expired and a new one is made."""
    hub.newBuildRoot(5, "x86_64", task_id=7)
    hub.die_after = "newBuildRoot"
    with pytest.raises(Killed):
        record().create()
    assert record().create() == 3
    assert [row["state"] for row in hub.rows] == [EXPIRED, EXPIRED, INIT]


def test_the_list_is_set_once(record, hub):
    """A list that arrived although its reply was lost is not sent again."""
    first = record()
    first.create()
    hub.die_after = "setBuildRootList"
    with pytest.raises(Killed):
        first.set_list([{"name": "bash"}])
    second = record()
    second.create()
    second.set_list([{"name": "bash"}])
    assert hub.lists == {1: [{"name": "bash"}]}


@pytest.fixture
def update_list(monkeypatch):
    """Return a function that lists, for a record, a root that holds these packages in an attempt."""
    monkeypatch.setattr(root_work, "buildroot_list", lambda installed, provenance: (installed, []))
    monkeypatch.setattr(root_work, "RootOpener", lambda context, logs: SimpleNamespace(provenance=lambda plan: None))

    def update(record, names, attempt):
        root = SimpleNamespace(installed=lambda: [{"name": name} for name in names])
        RootWork(None, REPO, record, None, "x86_64").update_list(OpenRoot(root, None, None, attempt))

    return update


def test_each_attempt_tells_what_it_installed(record, hub, update_list):
    """An attempt that was retried may have told of a half-filled root; within one attempt nothing is told twice."""
    first = record()
    first.create()
    update_list(first, ["bash"], 1)
    update_list(first, ["bash", "gcc"], 2)
    second = record()
    second.create()
    update_list(second, ["bash", "gcc"], 2)
    assert hub.added == [(1, [{"name": "bash"}]), (1, [{"name": "bash"}, {"name": "gcc"}])]


@pytest.mark.parametrize("trouble", [OSError(errno.ENOSPC, "full"), HubError("away"), ContainerLost("gone")], ids=repr)
def test_what_failed_keeps_its_own_error(monkeypatch, trouble):
    """A root whose contents cannot be told after a failure does not take the failure's place; a lost session does."""
    monkeypatch.setattr(root_work, "RootOpener", lambda context, logs: None)
    context = SimpleNamespace(interruption=Interruption(), log=structlog.get_logger())
    work = RootWork(context, REPO, None, None, "x86_64")
    opened = OpenRoot(None, None, None, 1)
    monkeypatch.setattr(work, "update_list", failing(trouble))
    with pytest.raises(BuildFault, match="its own"), work.listed_after(opened):
        raise BuildFault("its own")
    with pytest.raises(type(trouble)), work.listed_after(opened):
        pass
    monkeypatch.setattr(work, "update_list", failing(SessionLost("taken")))
    with pytest.raises(SessionLost), work.listed_after(opened):
        raise BuildFault("its own")


def failing(error):
    """Return a function that raises it whatever it is given."""

    def fail(*_):
        raise error

    return fail


@pytest.mark.parametrize("error", [koji.GenericError("no"), Fault(1, "no"), DiskFull("full"), HubError("away")])
def test_a_failed_build_is_told_although_its_root_cannot_be_expired(record, hub, error):
    """What the packager is to read is not replaced by what went wrong after it."""
    failed = record()
    failed.create()
    hub.setBuildRootState = failing(error)
    failed.expire_failed()
    assert hub.rows[0]["state"] == INIT


@pytest.mark.parametrize("error", [TaskCancelled("gone"), SessionLost("lost")])
def test_the_end_of_the_task_here_is_not_passed_over(record, hub, error):
    """A task that is not ours any more, or not now, must not go on to its report."""
    failed = record()
    failed.create()
    hub.setBuildRootState = failing(error)
    with pytest.raises(type(error)):
        failed.expire_failed()


class Session:
    """Answers getBuildConfig."""

    def __init__(self, config):
        self.config = config

    def getBuildConfig(self, tag, event):
        return self.config


def checked(config=None, **repo):
    info = {"id": 5, "create_event": 50, "tag_id": 2, "tag_name": "t", "state": koji.REPO_STATES["READY"], **repo}
    return repo_tag(Session(config), info, "t", structlog.get_logger())


@pytest.mark.parametrize(
    ("config", "repo", "text"),
    [
        (None, {}, "Could not get config info for tag: t"),
        ({"id": 3, "name": "other"}, {}, "tag/repo mismatch: other vs t"),
        ({"id": 2, "name": "t"}, {"state": koji.REPO_STATES["DELETED"]}, r"Requested repo \(5\) is DELETED"),
    ],
)
def test_a_repo_that_does_not_fit_is_refused_in_kojids_words(config, repo, text):
    """The texts are those of contract 4.0.1."""
    with pytest.raises(koji.BuildrootError, match=text):
        checked(config, **repo)


def test_an_expired_repo_is_still_good():
    """A repo that is no longer current builds as before (contract 8.1.8)."""
    found = checked({"id": 2, "name": "t"}, state=koji.REPO_STATES["EXPIRED"])
    assert found.path("x86_64") == "repos/t/5/x86_64"
