"""A task's files and logs on their way to the hub: ours at one end, the hub under test at the other."""

import threading
import time

import koji
import pytest

from koji_adjutant.errors import TaskCancelled
from koji_adjutant.hub.artifacts import UploadStore, task_directory
from koji_adjutant.hub.downloads import TopURLs
from koji_adjutant.hub.log_spool import LogSpool
from koji_adjutant.hub.log_uploader import LogUploader
from koji_adjutant.hub.login import connect, take_exclusive
from koji_adjutant.hub.uploads import upload_file
from tests.support.login_options import login_options


class OpenTask:
    """A host of ours, logged in as the daemon does, with one open task."""

    def __init__(self, hub):
        host = hub.host()
        self.hub = hub
        self.session = connect(
            login_options(hub.url, user=host.user, password=host.password), interrupt=threading.Event()
        )
        take_exclusive(self.session, force=False)
        self.session.host.updateHost(0.0, True, data={"methods": ["sleep"], "maxjobs": 1})
        self.id = int(hub.admin.makeTask("sleep", [0], channel=hub.channel))
        assert self.session.host.openTask(self.id)
        self.directory = task_directory(self.id)

    def names(self):
        return sorted(self.hub.admin.listTaskOutput(self.id))

    def content(self, name):
        return self.hub.admin.downloadTaskOutput(self.id, name)


@pytest.fixture
def task(hub):
    task = OpenTask(hub)
    yield task
    task.session.close()


@pytest.fixture
def spool(tmp_path):
    return LogSpool(tmp_path / "logs", 1 << 30)


@pytest.fixture
def uploader(task, spool):
    """Return a function that starts uploaders; all are stopped at the end."""
    started = []

    def start(**kwargs):
        session = task.session.subsession(threading.Event())
        defaults = {"interval": 0.05, "timestamps": False, "on_lost": lambda: None}
        started.append((LogUploader(session, spool, task.directory, **{**defaults, **kwargs}), session))
        started[-1][0].start()
        return started[-1][0]

    yield start
    for one, session in started:
        one.stop()
        session.close()


def soon():
    return time.monotonic() + 60


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (2 << 20) + 3])
def test_file_arrives_and_can_be_replaced(task, tmp_path, size):
    """Empty files too are files of the task; a repeat replaces what a run before it left."""
    local = tmp_path / "local"
    store = UploadStore(task.session, task.id)
    for content in (b"x" * (size + 1000), b"y" * size):
        local.write_bytes(content)
        assert store.put(local, "foo-1-1.noarch.rpm") == f"{task.directory}/foo-1-1.noarch.rpm"
        assert task.content("foo-1-1.noarch.rpm") == content
    assert task.names() == ["foo-1-1.noarch.rpm"]


def test_uploaded_file_is_served_below_topurl(task, tmp_path):
    """What a task uploads is what the next one downloads."""
    (tmp_path / "built").write_bytes(b"\xed\xab\xee\xdb" + b"payload" * 1000)
    path = UploadStore(task.session, task.id).put(tmp_path / "built", "foo-1-1.src.rpm")
    TopURLs([task.hub.topurl]).fetch(f"work/{path}", tmp_path / "fetched.src.rpm")
    assert (tmp_path / "fetched.src.rpm").read_bytes() == (tmp_path / "built").read_bytes()


def test_upload_of_a_cancelled_task_is_refused(task, tmp_path):
    """The refusal is Koji's own fault, which tells the handler that the task is gone."""
    (tmp_path / "a.log").write_bytes(b"x")
    task.hub.admin.cancelTask(task.id)
    with pytest.raises(koji.ActionNotAllowed, match=f"does not own task {task.id}"):
        upload_file(task.session, tmp_path / "a.log", task.directory)


def test_logs_are_complete_and_empty_ones_are_not_named(task, spool, uploader):
    """Several logs, one empty, one binary and large."""
    one = uploader(timestamps=True)
    spool.append("root.log", b"")
    spool.append("state.log", "grün\n".encode())
    for piece in range(40):
        spool.append("build.log", bytes([piece]) * 65536)
    names = ["build.log", "build.log-ts.log", "root.log-ts.log", "state.log", "state.log-ts.log"]
    assert one.finish(soon()) == names
    assert task.names() == names
    for name in names:
        assert task.content(name) == spool.path(name).read_bytes()


def test_adopted_logs_go_on_from_what_the_hub_holds(task, spool, uploader):
    """The next daemon sends what is missing, and only that."""
    spool.append("build.log", b"before\n" * 1000)
    first = uploader()
    first.finish(soon())
    calls = []
    task.session.on_call = lambda method, _seconds, _error: calls.append(method)
    spool.append("build.log", b"after\n")
    uploader().finish(soon())
    assert calls.count("rawUpload") == 1
    assert task.content("build.log") == spool.path("build.log").read_bytes()


def test_log_of_an_earlier_run_is_replaced(task, spool, uploader, tmp_path):
    """A freed task that runs again writes other logs over the old, longer ones."""
    (tmp_path / "build.log").write_bytes(b"the run before\n" * 1000)
    upload_file(task.session, tmp_path / "build.log", task.directory)
    spool.append("build.log", b"this run\n")
    uploader().finish(soon())
    assert task.content("build.log") == b"this run\n"


def test_cancel_is_heard_by_the_next_piece_of_a_log(task, spool, uploader):
    """Before the manager asks for its tasks, the log's refusal tells."""
    lost = threading.Event()
    spool.append("build.log", b"one\n")
    one = uploader(on_lost=lost.set)
    task.hub.admin.cancelTask(task.id)
    spool.append("build.log", b"two\n")
    assert lost.wait(60)
    with pytest.raises(TaskCancelled):
        one.finish(soon())
