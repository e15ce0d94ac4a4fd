"""What the daemon's commands do, over a real socket."""

from __future__ import annotations

import base64
import os
import pwd
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from koji_adjutant.control.client import NoDaemon
from koji_adjutant.control.commands import COMMANDS, answering
from koji_adjutant.control.peer import Peer
from koji_adjutant.control.protocol import ControlError, Fault, Request
from koji_adjutant.control.server import Call
from koji_adjutant.control.services import Services
from koji_adjutant.errors import ConfigurationError, HubError, RuntimeUnavailable

OLD = 1.0
CHANGING = {"shell", "drain", "resume", "sweep", "image-evict", "image-prepare", "image-bootstrap"}


def text_of(pieces: list[Any]) -> bytes:
    return b"".join(base64.b64decode(piece["bytes"]) for piece in pieces if "bytes" in piece)


def test_only_asking_is_for_others() -> None:
    """Whoever may connect may ask; the rest is for root and the daemon's user."""
    assert {name for name, command in COMMANDS.items() if command.privileged} == CHANGING


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_rights(bench: Any, name: str) -> None:
    """Another user is refused what changes anything before his arguments are looked at."""
    answer = answering(Services(dict, bench.manager, bench.parts))
    ours, _theirs = socket.socketpair()
    with ours, _theirs:
        call = Call(Peer(1, 4_000_000, 4_000_000), Request(name, {"nonsense": 1}), ours, threading.Event())
        with pytest.raises(ControlError) as caught:
            answer(call)
    assert caught.value.fault is (Fault.NOT_PERMITTED if name in CHANGING else Fault.REFUSED)
    assert ("uid 4000000" in str(caught.value)) == (name in CHANGING)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("nothing", {}),
        ("status", {"more": 1}),
        ("log", {}),
        ("log", {"task": "1"}),
        ("log", {"task": -1}),
        ("log", {"task": 1, "lines": 1 << 40}),
        ("drain", {"reason": "x" * 501}),
        ("image-evict", {"references": [1]}),
    ],
)
def test_arguments_are_checked(bench: Any, name: str, arguments: dict[str, Any]) -> None:
    """A wrong argument is named, and nothing is done."""
    with pytest.raises(ControlError, match=name):
        bench.client.call(name, **arguments)


def test_status(bench: Any) -> None:
    """The view, with what concerns this machine."""
    bench.run(4)
    bench.run(5, awaited=frozenset({4}))
    data = bench.client.call("status")
    assert (data["host"], data["adopted"], data["drain"], data["runtime_version"]) == (
        "builder",
        True,
        None,
        "memory 1",
    )
    assert [(task["task_id"], task["waiting"]) for task in data["tasks"]] == [(4, False), (5, True)]
    assert bench.client.call("tasks")["tasks"] == data["tasks"]


def test_drain_and_resume(bench: Any) -> None:
    """A drained host is not ready, says why, stays so over a restart, and takes tasks again after `resume`."""
    bench.client.call("drain", reason="new\nkernel")
    task = bench.hub.add_task("sleep", 1)
    bench.manager._guarded_pass()
    assert bench.parts.check_in.say().reason == "Draining: new kernel"
    assert bench.hub.state(task) == "ASSIGNED"
    status, me = bench.client.call("status"), pwd.getpwuid(os.geteuid()).pw_name
    assert (status["ready"], status["drain"]["reason"], status["drain"]["by"]) == (False, "new kernel", me)
    _, successor = bench.assembled()
    assert successor.drain.drain == bench.parts.drain.drain
    assert bench.client.call("resume")["lifted"]["reason"] == "new kernel"
    bench.manager._guarded_pass()
    assert bench.parts.check_in.say().ready
    assert bench.client.call("resume")["lifted"] is None
    assert bench.assembled()[1].drain.drain is None


def test_drain_counts(bench: Any) -> None:
    """Who drains hears how much is still to be waited for."""
    bench.run(4)
    bench.run(5, awaited=frozenset({4}))
    data = bench.client.call("drain")
    assert (data["running"], data["waiting"]) == (1, 1)


def swept(bench: Any, **arguments: Any) -> dict[str, Any]:
    """Sweep with the sweep's thread at work as far as it waits for others."""
    sweeper = bench.parts.sweeper
    thread = threading.Thread(target=sweeper._pause, daemon=True)
    thread.start()
    try:
        answer: dict[str, Any] = bench.client.call("sweep", **arguments)
    finally:
        sweeper.halt()
        thread.join(5)
    return answer


def test_sweep_dry_run(bench: Any) -> None:
    """What would go is told with the reason, and stays."""
    bench.runtime.add("old", 99, 1.0, created_at=OLD)
    bench.runtime.add("none", created_at=OLD)
    data = swept(bench, dry_run=True)
    assert [(row["name"], row["reason"]) for row in data["leftovers"]] == [
        ("old", "task 99 is not open on this host"),
        ("none", "it belongs to no task"),
    ]
    assert sorted(bench.runtime.containers) == ["none", "old"]


def test_sweep(bench: Any) -> None:
    """What goes is told as well."""
    bench.runtime.add("old", 99, 1.0, created_at=OLD)
    data = swept(bench)
    assert [row["name"] for row in data["leftovers"]] == ["old"]
    assert bench.runtime.containers == {}


@pytest.mark.parametrize("error", [HubError("hub away", retryable=True), RuntimeUnavailable("podman away")])
def test_a_sweep_that_fails_says_so(bench: Any, error: Exception) -> None:
    """Trouble of hub and runtime is told, exit code 75, and nothing is removed."""
    bench.runtime.add("old", 99, 1.0, created_at=OLD)

    def away(*_: Any) -> None:
        raise error

    bench.hub.before["host.getHostTasks"] = away
    with pytest.raises(ControlError, match="away") as caught:
        swept(bench)
    assert caught.value.exit_code == 75
    assert list(bench.runtime.containers) == ["old"]


def test_nothing_is_swept_before_adoption_has_ended(bench: Any) -> None:
    """The tasks of the last daemon look like leftovers until they are adopted."""
    bench.manager.adopted = False
    with pytest.raises(ControlError, match="adopted"):
        bench.client.call("sweep")


def test_log(bench: Any) -> None:
    """A log is sent from an offset or its last lines; names and sizes are listed."""
    logs = bench.logs(7)
    (logs / "build.log").write_bytes(b"one\ntwo\n\xff")
    (logs / "root.log").write_bytes(b"r" * 100_000)
    assert text_of(list(bench.client.stream("log", task=7))) == b"one\ntwo\n\xff"
    assert text_of(list(bench.client.stream("log", task=7, offset=4))) == b"two\n\xff"
    assert text_of(list(bench.client.stream("log", task=7, lines=2))) == b"two\n\xff"
    assert text_of(list(bench.client.stream("log", task=7, log="root.log"))) == b"r" * 100_000
    assert bench.client.call("logs", task=7)["logs"] == [
        {"name": "build.log", "size": 9},
        {"name": "root.log", "size": 100_000},
    ]


def test_log_that_is_not_there(bench: Any) -> None:
    """An unknown task, an unknown log and a name of no log are told apart, with what to do."""
    bench.logs(7)
    for arguments, text in [
        ({"task": 8}, "koji watch-logs 8"),
        ({"task": 7}, "has no log so far; there are: none"),
        ({"task": 7, "log": "x.log", "follow": True}, "has no x.log"),
        ({"task": 7, "log": "../../journal.log"}, "not a name"),
    ]:
        with pytest.raises(ControlError, match=text.replace(".", r"\.")):
            list(bench.client.stream("log", **arguments))


def test_log_is_followed_until_the_task_ends(bench: Any, following: Callable[..., Any]) -> None:
    """What is written last comes too, though the task's directory is gone by then."""
    task = bench.run(7)
    log = bench.logs(7) / "build.log"
    reader = following(bench.client, "log", task=7, follow=True)
    log.write_bytes(b"one\n")
    reader.wait_for(lambda pieces: text_of(pieces) == b"one\n")
    with log.open("ab") as stream:
        stream.write(b"last\n")
    log.unlink()
    task.ended.set()
    reader.join(10)
    assert text_of(reader.pieces) == b"one\nlast\n"
    assert reader.end == {"log": "build.log", "offset": 9}


def test_a_log_that_begins_anew_is_told(bench: Any, following: Callable[..., Any]) -> None:
    """Another file under the same name is sent from its beginning, after a word about it."""
    task = bench.run(7)
    log = bench.logs(7) / "build.log"
    log.write_bytes(b"old\n")
    reader = following(bench.client, "log", task=7, follow=True)
    reader.wait_for(lambda pieces: text_of(pieces) == b"old\n")
    fresh = log.with_name("fresh")
    fresh.write_bytes(b"new\n")
    fresh.replace(log)
    reader.wait_for(lambda pieces: text_of(pieces) == b"old\nnew\n")
    assert [piece for piece in reader.pieces if piece.get("anew")] == [{"log": "build.log", "anew": True}]
    task.ended.set()
    reader.join(10)
    assert reader.end == {"log": "build.log", "offset": 4}


def test_a_log_is_followed_before_adoption_has_ended(bench: Any, following: Callable[..., Any]) -> None:
    """A client that comes back after a restart is not told that the task has ended."""
    bench.manager.adopted = False
    (bench.logs(7) / "build.log").write_bytes(b"one\n")
    reader = following(bench.client, "log", task=7, follow=True)
    reader.wait_for(lambda pieces: text_of(pieces) == b"one\n")
    task = bench.run(7)
    bench.manager.adopted = True
    task.ended.set()
    reader.join(10)
    assert reader.error is None


def test_a_task_that_is_left_to_the_next_daemon_is_not_over(bench: Any, following: Callable[..., Any]) -> None:
    """Who follows its log hears that the daemon stops, not that the log has ended; a cancelled task is over."""
    left, cancelled = bench.run(7), bench.run(8)
    readers = [following(bench.client, "log", task=task, follow=True) for task in (7, 8)]
    for task, reader in zip((7, 8), readers, strict=True):
        (bench.logs(task) / "build.log").write_bytes(b"one\n")
        reader.wait_for(lambda pieces: text_of(pieces) == b"one\n")
    left.context.interruption.stop()
    cancelled.context.interruption.cancel("the hub says so")
    for task in (left, cancelled):
        task.ended.set()
    readers[1].join(10)
    assert readers[1].end == {"log": "build.log", "offset": 4}
    assert readers[0].is_alive()
    bench.server.stop()
    readers[0].join(10)
    assert isinstance(readers[0].error, NoDaemon)


def test_shell_without_a_container(bench: Any) -> None:
    """A task that has no running container is told, with the roles there are."""
    with pytest.raises(ControlError, match="no running container here; running are: none"):
        bench.client.call("shell", task=7)


def test_images_that_cannot_be(bench: Any) -> None:
    """Bootstrap images are for clusters; without images of our own none can be prepared."""
    with pytest.raises(ControlError, match="one container only"):
        bench.client.call("image-bootstrap")
    with pytest.raises(ControlError, match="keeps no images"):
        bench.client.call("image-prepare", tag="t")
    assert bench.client.call("image-list") == {"images": []}


def test_settings(make_bench: Callable[..., Any], directory: Any) -> None:
    """The socket stands where the configuration says; a group that is none is an error of the configuration."""
    bench = make_bench(socket=str(directory / "other.sock"))
    assert bench.client.path == directory / "other.sock"
    assert bench.client.call("status")["host"] == "builder"
    with pytest.raises(ConfigurationError, match="no group of this machine"):
        make_bench(group="no-such-group")
