"""`koji-adjutant log -f` goes on where it was, over restarts of the daemon and logs that begin anew."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from koji_adjutant.cli.log_command import PATIENCE, Following
from koji_adjutant.control.client import NoDaemon, NotPermitted
from koji_adjutant.control.protocol import ControlError


def piece(offset: int, data: bytes) -> dict[str, Any]:
    return {"log": "build.log", "offset": offset, "bytes": base64.b64encode(data).decode()}


class Daemon:
    """Answers each request with the next of its scripts: pieces, and an error at their end."""

    def __init__(self, *scripts: list[Any]) -> None:
        self.scripts = list(scripts)
        self.asked: list[dict[str, Any]] = []

    def stream(self, command: str, **arguments: Any) -> Iterator[Any]:
        assert command == "log"
        self.asked.append(arguments)
        for entry in self.scripts.pop(0):
            if isinstance(entry, Exception):
                raise entry
            yield entry


class Screen:
    """What was shown, and a clock that sleeping moves."""

    def __init__(self) -> None:
        self.data = b""
        self.now = 0.0

    def show(self, _log: str, _offset: int, data: bytes) -> None:
        self.data += data

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def follow(screen: Screen) -> Callable[..., None]:
    """Follow a log of task 7 at a daemon."""

    def run(daemon: Any, *, follow: bool = True, lines: int | None = None) -> None:
        following = Following(daemon, screen.show, 7, None, sleep=screen.sleep, clock=lambda: screen.now)
        following.run(lines=lines, follow=follow)

    return run


def test_goes_on_after_a_restart(
    screen: Screen, follow: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same log is asked for from where it was; who follows is told once."""
    daemon = Daemon([piece(90, b"one\n"), NoDaemon("gone")], [NoDaemon("gone")], [piece(94, b"two\n")])
    follow(daemon, lines=5)
    assert screen.data == b"one\ntwo\n"
    first, _, last = daemon.asked
    assert (first["lines"], first["offset"], first["log"]) == (5, None, None)
    assert (last["lines"], last["offset"], last["log"]) == (None, 94, "build.log")
    assert capsys.readouterr().err.count("waiting for it") == 1


def test_a_task_that_ended_meanwhile(
    screen: Screen, follow: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The next daemon does not know the task any more: that is its end."""
    follow(Daemon([piece(0, b"one\n"), NoDaemon("gone")], [ControlError("task 7 is not here")]))
    assert screen.data == b"one\n"
    assert "has ended meanwhile" in capsys.readouterr().err


def test_a_log_that_begins_anew(screen: Screen, follow: Callable[..., None]) -> None:
    """From there the offsets count anew."""
    daemon = Daemon(
        [piece(0, b"old and long\n"), {"log": "build.log", "anew": True}, piece(0, b"new\n"), NoDaemon("gone")],
        [{}, piece(4, b"more\n")],
    )
    follow(daemon)
    assert screen.data == b"old and long\nnew\nmore\n"
    assert daemon.asked[1]["offset"] == 4


@pytest.mark.parametrize("error", [NoDaemon("nobody"), NotPermitted("not you"), ControlError("no such task")])
def test_an_error_at_first_is_one(follow: Callable[..., None], error: Exception) -> None:
    """Nothing is waited for that was never there."""
    with pytest.raises(type(error)):
        follow(Daemon([error]))


def test_patience_has_an_end(screen: Screen, follow: Callable[..., None]) -> None:
    """A daemon that does not come back before the hub gives its tasks away is not waited for."""
    with pytest.raises(NoDaemon):
        follow(Daemon([piece(0, b"x"), NoDaemon("gone")], *([NoDaemon("gone")] for _ in range(1000))))
    assert PATIENCE < screen.now < PATIENCE + 10


def test_without_follow_a_break_is_an_error(follow: Callable[..., None]) -> None:
    """Half a log is not a log."""
    with pytest.raises(NoDaemon):
        follow(Daemon([piece(0, b"x"), NoDaemon("gone")]), follow=False)
