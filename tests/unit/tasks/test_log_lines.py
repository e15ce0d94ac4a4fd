"""Copies of task logs on stdout: whole lines, once, harmless."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.hub.log_spool import LogSpool
from koji_adjutant.tasks.log_lines import LINE_BYTES, LogLines


class Scene:
    """A spool on disk behind the lines of one task."""

    def __init__(self, directory: Path) -> None:
        self.spool = LogSpool(directory / "logs", 1 << 20)
        self.out = io.StringIO()
        self.lines = self.anew()

    def anew(self) -> LogLines:
        """The same task in the next daemon."""
        return LogLines(self.spool, 7, "buildArch", self.out, clock=lambda: 12.5)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def texts(self) -> list[str]:
        return [record["line"] for record in self.records()]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_lines_come_whole(scene: Scene) -> None:
    """A line is written when its end has come, with task, method and log; the spool has the same bytes."""
    scene.lines.write("build.log", 0, b"one\ntw")
    assert scene.records() == [{"time": 12.5, "task_id": 7, "method": "buildArch", "log": "build.log", "line": "one"}]
    scene.lines.write("build.log", 6, b"o\n\n")
    assert scene.texts() == ["one", "two", ""]
    assert scene.spool.read("build.log", 0, 100) == b"one\ntwo\n\n"


def test_what_is_repeated_is_not_copied_twice(scene: Scene) -> None:
    """Bytes that the spool holds already, of this daemon or the last, are left out."""
    scene.lines.write("build.log", 0, b"one\ntwo\n")
    scene.lines.write("build.log", 4, b"two\nthree\n")
    scene.anew().write("build.log", 0, b"one\ntwo\nthree\nfour\n")
    assert scene.texts() == ["one", "two", "three", "four"]


def test_logs_do_not_mix(scene: Scene) -> None:
    """Each log has its own unfinished line; the last ones come at the end."""
    scene.lines.append("root.log", b"half of ")
    scene.lines.append("state.log", b"a state\n")
    scene.lines.append("root.log", b"a line")
    scene.lines.close()
    assert [(record["log"], record["line"]) for record in scene.records()] == [
        ("state.log", "a state"),
        ("root.log", "half of a line"),
    ]


def test_hostile_bytes(scene: Scene) -> None:
    """Escapes, carriage returns and bytes that are no text stay inside one JSON line; one without end is cut."""
    scene.lines.append("build.log", b"\x1b[2J\xff\x00" + '\u2028"}'.encode() + b"\r\n" + b"x" * (2 * LINE_BYTES + 1))
    scene.lines.close()
    assert scene.texts() == ['\x1b[2J\ufffd\x00\u2028"}', "x" * LINE_BYTES, "x" * LINE_BYTES, "x"]
    assert "\x1b" not in scene.out.getvalue()
    assert scene.out.getvalue().isascii()
