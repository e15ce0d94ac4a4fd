"""The embedded hub's directory is the hub: it survives a restart and kill -9."""

import json
import os
import signal
import subprocess
import sys

import koji
import pytest

from koji_adjutant.errors import HubError
from koji_adjutant.minihub import MiniHub


@pytest.fixture
def process(tmp_path):
    """Starts the hub as a program; kills what is left."""
    running = []

    def start(*more):
        command = [sys.executable, "-m", "koji_adjutant.minihub", "--directory", str(tmp_path / "hub"), *more]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(child)
        text = ""
        while not text.endswith("}\n"):
            line = child.stdout.readline()
            assert line, child.stderr.read()
            text += line
        return child, json.loads(text)

    yield start
    for child in running:
        child.kill()
        child.communicate()


def session(described):
    options = {"user": described["user"], "password": described["password"], "anon_retry": False, "max_retries": 1}
    client = koji.ClientSession(described["hub"], options)
    client.login()
    return client


def test_killed(process):
    """After kill -9 every answered call stands, sessions included, at the same address."""
    child, described = process()
    admin = session(described)
    tasks = [admin.makeTask("sleep", [number]) for number in range(20)]
    admin.addHost("host", "x86_64")
    os.kill(child.pid, signal.SIGKILL)
    child.wait(60)
    _child, again = process()
    assert again == described
    assert [row["request"] for row in admin.getTaskInfo(tasks, request=True)] == [[n] for n in range(20)]
    assert admin.getHost("host")["arches"] == "x86_64"
    admin.rsession.close()


def test_ended(process):
    """SIGTERM ends it with status 0."""
    child, _described = process()
    child.terminate()
    assert child.wait(60) == 0


def test_restarted_inside(tmp_path):
    """The same within one process; an OPEN task is still its host's, and the session goes on."""
    with MiniHub(tmp_path / "hub") as hub:
        host = hub.add_host("host")
        client = koji.ClientSession(hub.url, {"user": host.user, "password": host.password})
        client.login()
        client.exclusiveSession()
        task = hub.make_task("sleep", [0])
        client.host.openTask(task)
        address, admin = hub.url, hub.admin
    with MiniHub(tmp_path / "hub") as hub:
        assert (hub.url, hub.admin) == (address, admin)
        assert [row["id"] for row in client.host.getHostTasks()] == [task]
    client.rsession.close()


def test_port_in_use(tmp_path):
    """A port that is taken is told as that."""
    with MiniHub(tmp_path / "one") as one, pytest.raises(HubError, match=f"cannot listen on 127.0.0.1:{one.port}"):
        MiniHub(tmp_path / "two", port=one.port).start()


def test_directory_that_cannot_be(tmp_path):
    """A file in the way is told as that."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(HubError, match="cannot hold an embedded hub"):
        MiniHub(tmp_path / "file")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hub.db").write_text("no database at all, but long enough to look at" * 50)
    with pytest.raises(HubError, match="cannot be used as an embedded hub's data"):
        MiniHub(tmp_path / "hub")
