"""The seam by which tests break calls of the embedded hub, and what a client then finds."""

import threading

import koji
import pytest
import requests

from koji_adjutant.minihub import DropConnection, HttpError


@pytest.fixture
def builder(minihub, builder_of):
    return builder_of(minihub)


def on(method, act):
    """A hook for one method, once."""
    left = [act]

    def hook(call):
        if call.method == method and left:
            left.pop()(call)

    return hook


def drop(_call):
    raise DropConnection


@pytest.fixture
def retrying(minihub, builder):
    """The builder's session with the client's own retries."""
    builder.session.opts.update({"max_retries": 3, "retry_interval": 0.01, "anon_retry": True})
    return builder.session


@pytest.fixture
def reset(minihub):
    yield
    minihub.before_call = minihub.after_call = None


pytestmark = pytest.mark.usefixtures("reset")


def test_lost_before_the_call(minihub, builder, retrying):
    """A call that never came is repeated and done once."""
    minihub.before_call = on("host.setHostData", drop)
    retrying.host.setHostData({"n": 1})
    assert minihub.call("scheduler.getHostData", builder.id) == [{"host_id": builder.id, "data": '{"n": 1}'}]


def test_lost_after_the_call(minihub, builder, retrying):
    """A call whose answer was lost stands, and its repetition is refused."""
    parent = builder.open_task()
    minihub.after_call = on("host.subtask", drop)
    with pytest.raises(koji.RetryError, match=r"unable to retry call \d+ \(method host.subtask\)"):
        retrying.host.subtask("sleep", [0], parent, label="one")
    assert [row["label"] for row in minihub.call("getTaskChildren", parent)] == ["one"]


def test_lost_after_a_repeatable_call(minihub, retrying):
    """The check-in may be repeated."""
    minihub.after_call = on("host.updateHost", drop)
    retrying.host.updateHost(1.0, True)


def test_lost_upload(minihub, builder, retrying):
    """An upload whose answer was lost is simply sent again."""
    task = builder.open_task()
    minihub.after_call = on("rawUpload", drop)
    assert builder.upload(task, "a.log", b"abc")["size"] == 3
    assert builder.session.checkUpload(koji.pathinfo.taskrelpath(task), "a.log")["size"] == 3


def test_fault_before_and_after(minihub, builder):
    """A Koji error becomes a fault; after the call its effect stands."""

    def offline(_call):
        raise koji.ServerOffline("database outage")

    minihub.before_call = on("host.setHostData", offline)
    with pytest.raises(koji.ServerOffline, match="database outage"):
        builder.session.host.setHostData({"n": 1})
    assert minihub.call("scheduler.getHostData", builder.id)[0]["data"] != '{"n": 1}'
    minihub.after_call = on("host.setHostData", offline)
    with pytest.raises(koji.ServerOffline):
        builder.session.host.setHostData({"n": 2})
    assert minihub.call("scheduler.getHostData", builder.id)[0]["data"] == '{"n": 2}'


def test_http_error(minihub, builder):
    """An HTTP status instead of an answer."""

    def refuse(_call):
        raise HttpError(503, "Service Unavailable")

    minihub.before_call = on("host.getID", refuse)
    with pytest.raises(requests.HTTPError, match="503"):
        builder.hub.once(builder.session, "host.getID")
    assert builder.session.host.getID() == builder.id


def test_slow_call_holds_nobody_up(minihub, builder):
    """A hook may take its time; other calls go on."""
    gate, entered = threading.Event(), threading.Event()

    def wait(_call):
        entered.set()
        assert gate.wait(60)

    minihub.before_call = on("host.getID", wait)
    found = []
    slow = threading.Thread(target=lambda: found.append(builder.session.host.getID()))
    slow.start()
    assert entered.wait(60)
    assert minihub.call("getHost", builder.name)["id"] == builder.id
    gate.set()
    slow.join(30)
    assert found == [builder.id]


def test_what_a_hook_sees(minihub, builder):
    """Method, arguments, session and number."""
    seen = []
    minihub.before_call = seen.append
    number = builder.session.callnum
    builder.session.host.updateHost(0.5, True, data={"maxjobs": 1})
    (call,) = seen
    assert (call.method, call.args, call.kwargs) == ("host.updateHost", (0.5, True), {"data": {"maxjobs": 1}})
    assert (call.session_id, call.call_number) == (builder.session.sinfo["session-id"], number)


def test_hub_that_is_down(minihub, builder):
    """Pause cuts connections and refuses new ones; start brings everything back at the same address."""
    url = minihub.url
    minihub.pause()
    with pytest.raises(requests.ConnectionError):
        builder.hub.once(builder.session, "host.getID")
    minihub.start()
    assert minihub.url == url
    assert builder.session.host.getID() == builder.id


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"<html>", {}, 400),
        (b"x" * (4 * 1024 * 1024 + 1), {}, 400),
        (b"<?xml version='1.0'?>", {"Koji-Session-Id": "x"}, 400),
        (b"x", {"Content-Type": "application/octet-stream"}, 400),
    ],
)
def test_nonsense(minihub, body, headers, status):
    """What is no call is an HTTP error, and the hub goes on."""
    assert requests.post(minihub.url, data=body, headers=headers, timeout=60).status_code == status
    assert requests.post(minihub.url + "/elsewhere", data=b"x", timeout=60).status_code == 404
    assert minihub.call("echo", 1) == (1,)
