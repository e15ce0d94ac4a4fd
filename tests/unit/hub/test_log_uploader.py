"""Logs on their way to the hub."""

import threading
import time
from xmlrpc.client import Fault

import koji
import pytest

from koji_adjutant.errors import DaemonStopping, HubError, SessionLost, TaskCancelled
from koji_adjutant.hub.log_spool import LogSpool
from koji_adjutant.hub.log_uploader import LogUploader
from tests.support.xmlrpc_hub import UploadArea

DIRECTORY = "tasks/7/7"
NOT_OURS = Fault(koji.ActionNotAllowed.faultCode, "host 1 does not own task 7")


@pytest.fixture
def area(hub):
    return UploadArea(hub)


@pytest.fixture
def spool(tmp_path):
    return LogSpool(tmp_path, 1 << 30)


@pytest.fixture
def make(session, spool):
    """Return a function that makes uploaders at the hub; all are stopped at the end."""
    made = []

    def uploader(**kwargs):
        defaults = {"interval": 0.01, "timestamps": False, "on_lost": lambda: None}
        made.append(LogUploader(session, spool, DIRECTORY, **{**defaults, **kwargs}))
        return made[-1]

    yield uploader
    for one in made:
        one.stop()


def soon():
    return time.monotonic() + 60


def test_growing_log_is_visible_while_it_grows(make, spool, area):
    """Each piece reaches the hub before the log ends, and only what is new is sent."""
    uploader = make()
    uploader.start()
    spool.append("build.log", b"one\n")
    assert area.wait_for(DIRECTORY, "build.log", b"one\n")
    spool.append("build.log", b"two\n")
    assert area.wait_for(DIRECTORY, "build.log", b"one\ntwo\n")
    assert uploader.finish(soon()) == ["build.log"]
    assert area.chunks == [("build.log", 0, 4), ("build.log", 4, 4)]


def test_large_log_goes_in_chunks_of_a_mebibyte(make, spool, area):
    """No request is larger than a mebibyte, chunks go in order."""
    text = bytes(range(256)) * 10_000
    spool.append("build.log", text)
    uploader = make()
    uploader.start()
    assert uploader.finish(soon()) == ["build.log"]
    assert area.files[DIRECTORY, "build.log"] == text
    assert area.chunks == [
        ("build.log", 0, 1 << 20),
        ("build.log", 1 << 20, 1 << 20),
        ("build.log", 2 << 20, len(text) - (2 << 20)),
    ]


def test_empty_log_is_not_named(make, spool, area):
    """The hub makes no file of an empty log, so no result may name it."""
    spool.append("root.log", b"")
    spool.append("build.log", b"x")
    uploader = make()
    uploader.start()
    assert uploader.finish(soon()) == ["build.log"]


def test_adopted_log_goes_on_from_what_the_hub_holds(make, spool, area):
    """After a restart of the daemon the part that the hub has is not sent again."""
    spool.append("build.log", b"first second")
    area.files[DIRECTORY, "build.log"] = b"first"
    uploader = make()
    uploader.start()
    uploader.finish(soon())
    assert area.chunks == [("build.log", 5, 7)]


@pytest.mark.parametrize("held", [b"other", b"an earlier run wrote more than we did"])
def test_log_of_an_earlier_run_is_replaced(make, spool, area, held):
    """What is no beginning of our log is written over from the start."""
    spool.append("build.log", b"first second")
    area.files[DIRECTORY, "build.log"] = held
    uploader = make()
    uploader.start()
    uploader.finish(soon())
    assert area.files[DIRECTORY, "build.log"] == b"first second"


def test_trouble_of_the_network_is_repeated_and_fails_nothing(make, spool, area, hub):
    """Cut connections, error pages and lock errors of the hub are ridden out."""
    hub.trouble = ["drop", "drop", 503, "lose", "lose", Fault(koji.LockError.faultCode, "busy"), "html"]
    spool.append("build.log", b"x" * 100)
    uploader = make()
    uploader.start()
    assert uploader.finish(soon()) == ["build.log"]
    assert area.files[DIRECTORY, "build.log"] == b"x" * 100


def test_log_that_differs_in_the_end_is_sent_again(make, spool, area):
    """Size and checksum are compared at the end; damage is repaired."""
    spool.append("build.log", b"hello")
    uploader = make()
    assert uploader.upload_pass()
    area.files[DIRECTORY, "build.log"] = b"hel\0o"
    uploader.start()
    assert uploader.finish(soon()) == ["build.log"]
    assert area.files[DIRECTORY, "build.log"] == b"hello"


def test_task_that_is_not_ours_is_told_once(make, spool, area):
    """The hub's refusal is the fastest sign of a cancel."""
    told = []
    lost = threading.Event()
    area.refuse = NOT_OURS
    uploader = make(on_lost=lambda: (told.append(1), lost.set()))
    spool.append("build.log", b"x")
    uploader.start()
    assert lost.wait(60)
    spool.append("build.log", b"y")
    with pytest.raises(TaskCancelled, match="tasks/7/7"):
        uploader.finish(soon())
    assert told == [1]


def test_lost_session_ends_the_uploader(make, spool, area, hub, session):
    """Another daemon with our name: the handler hears of it from `finish`."""
    hub.sessions[session.sinfo["session-id"]]["closed"] = True
    spool.append("build.log", b"x")
    uploader = make()
    uploader.start()
    with pytest.raises(SessionLost):
        uploader.finish(soon())


def test_interrupt_ends_the_uploader(make, spool, area, hub, session):
    """A stop of the daemon ends `finish` with the session's own error."""
    hub.trouble = ["hang"]
    spool.append("build.log", b"x")
    uploader = make()
    uploader.start()
    hub.arrived.wait(60)
    session.interrupt.set()
    with pytest.raises(DaemonStopping):
        uploader.finish(soon())


def test_finish_gives_up_at_its_deadline(make, spool, area):
    """A hub that never takes the log ends in an error that names it; the task can be taken up again."""
    area.refuse = Fault(koji.GenericError.faultCode, "disk full")
    spool.append("build.log", b"x")
    uploader = make()
    uploader.start()
    with pytest.raises(HubError, match=r"build\.log") as caught:
        uploader.finish(time.monotonic() + 0.2)
    assert caught.value.retryable


def test_finish_may_be_called_again_after_its_deadline(make, spool, area):
    """The thread goes on, so that whoever has time may wait longer."""
    area.refuse = Fault(koji.GenericError.faultCode, "disk full")
    spool.append("build.log", b"x")
    uploader = make()
    uploader.start()
    with pytest.raises(HubError):
        uploader.finish(time.monotonic() + 0.1)
    area.refuse = None
    assert uploader.finish(soon()) == ["build.log"]
    assert area.files[DIRECTORY, "build.log"] == b"x"


def test_finish_of_a_thread_that_has_ended_is_not_worth_another(make, spool):
    """What was written after the end is brought by nobody: whoever repeats what is `retryable` must not repeat this."""
    uploader = make()
    uploader.start()
    uploader.finish(soon())
    spool.append("build.log", b"x")
    with pytest.raises(HubError) as caught:
        uploader.finish(soon())
    assert not caught.value.retryable


def test_timestamps_are_written_and_uploaded(make, spool, area):
    """Each growth of a log is a line of its companion; a restart goes on after the last one."""
    clock = iter(range(100, 200))
    uploader = make(timestamps=True, wall_clock=lambda: next(clock))
    spool.append("build.log", b"abc")
    uploader.upload_pass()
    spool.append("build.log", b"de")
    uploader.upload_pass()
    uploader.upload_pass()
    assert area.files[DIRECTORY, "build.log-ts.log"] == b"100 0\n101 3\n102 5\n"
    again = make(timestamps=True, wall_clock=lambda: next(clock))
    spool.append("build.log", b"f")
    again.start()
    assert again.finish(soon()) == ["build.log", "build.log-ts.log"]
    assert area.files[DIRECTORY, "build.log-ts.log"] == b"100 0\n101 3\n102 5\n103 6\n"


def test_uploader_that_breaks_says_why(make, spool, monkeypatch):
    """An error nobody foresaw ends the thread, and is what the task is told instead of a time that has passed."""

    def fail():
        raise ValueError("no such line")

    uploader = make(timestamps=True)
    monkeypatch.setattr(uploader._timestamps, "note_growth", fail)
    spool.append("build.log", b"abc")
    uploader.start()
    with pytest.raises(HubError, match=r"could not be sent: ValueError.*no such line") as caught:
        uploader.finish(soon())
    assert not caught.value.retryable
    assert isinstance(caught.value.__cause__, ValueError)
