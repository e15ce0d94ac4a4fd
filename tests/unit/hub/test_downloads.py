"""Downloads from topurl."""

import threading
import time

import pytest

from koji_adjutant.errors import HubError, Interrupted, TaskCancelled
from koji_adjutant.hub.downloads import TopURLs, download
from tests.support.file_server import FileServer

RPM = b"\xed\xab\xee\xdb" + b"x" * 200


@pytest.fixture
def server():
    server = FileServer()
    yield server
    server.stop()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "a.src.rpm"


def test_file_is_fetched_whole(server, target):
    """The target holds the file, and nothing is left beside it."""
    url = server.file("/a.src.rpm", RPM)
    assert download(url, target, expected_size=len(RPM)) == len(RPM)
    assert target.read_bytes() == RPM
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 504])
def test_passing_trouble_is_retried(server, target, status):
    """The statuses that kojid retries are retried."""
    server.answers["/a.src.rpm"] = [(status, {}, b""), (status, {}, b""), (200, {}, RPM)]
    download(server.url + "/a.src.rpm", target, backoff=0)
    assert len(server.asked) == 3


def test_short_body_is_retried(server, target):
    """A connection that ends early is no success."""
    short = (200, {"Content-Length": "500"}, RPM)
    server.answers["/a.src.rpm"] = [short, (200, {}, RPM)]
    assert download(server.url + "/a.src.rpm", target, backoff=0) == len(RPM)
    server.answers["/b.src.rpm"] = [short]
    with pytest.raises(HubError, match="4 tries") as caught:
        download(server.url + "/b.src.rpm", target.with_name("b"), backoff=0)
    assert caught.value.retryable
    assert not target.with_name("b").exists()


def test_missing_file_is_told_at_once(server, target):
    """404 is not retried."""
    with pytest.raises(HubError, match="404") as caught:
        download(server.url + "/none.rpm", target, backoff=0)
    assert len(server.asked) == 1
    assert not caught.value.retryable


def test_page_in_place_of_an_rpm_is_told(server, target):
    """A login page that answers 200 is named as what it is."""
    url = server.file("/a.src.rpm", b"<!DOCTYPE html><html>Please log in</html>")
    with pytest.raises(HubError, match="not an rpm") as caught:
        download(url, target)
    assert "HTML" in caught.value.details
    assert not target.exists()


def test_size_is_bounded(server, target):
    """No server fills the disk."""
    url = server.file("/a.src.rpm", RPM * 1000)
    with pytest.raises(HubError, match="larger than"):
        download(url, target, max_bytes=1000)
    assert list(target.parent.iterdir()) == []


def test_interrupt_ends_a_silent_download(server, target):
    """A server that stops to send does not hold up a stop."""
    interrupt = threading.Event()
    server.answers["/a"] = [(200, {"Content-Length": "100"}, FileServer.HANG)]
    threading.Thread(target=lambda: (server.hanging.wait(60), interrupt.set())).start()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        download(server.url + "/a", target, interrupt=interrupt)
    assert time.monotonic() - started < 3
    with pytest.raises(TaskCancelled):
        download(server.url + "/a", target, interrupt=interrupt, interrupted=lambda: TaskCancelled("task 7"))


def test_silent_server_runs_into_the_timeout(server, target):
    """A download that makes no progress is an outage."""
    server.answers["/a"] = [(200, {"Content-Length": "100"}, FileServer.HANG)]
    with pytest.raises(HubError) as caught:
        download(server.url + "/a", target, timeout=(1, 0.05), backoff=0)
    assert caught.value.retryable


def test_topurls_are_tried_in_turn(server, target):
    """The second place is asked when the first does not have the file; names are quoted."""
    server.file("/second/work/a%20b-1%2523.src.rpm", RPM)
    tops = TopURLs([server.url + "/first/", server.url + "/second"])
    tops.fetch("work/a b-1%23.src.rpm", target)
    assert target.read_bytes() == RPM
    assert [path.split("/")[1] for path in server.asked] == ["first", "second"]
    with pytest.raises(HubError, match="/first/none"):
        tops.fetch("none", target.with_name("none"))
