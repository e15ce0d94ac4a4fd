"""What the commands print of a daemon's answers, and the socket they ask."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.cli import drain_command, image_command, resume_command, status_command, sweep_command, tasks_command
from koji_adjutant.cli.control_socket import add_socket_arguments, client_of
from koji_adjutant.cli.main import main
from koji_adjutant.cli.shell_command import podman_argv
from koji_adjutant.control.protocol import ControlError
from koji_adjutant.errors import UsageError

STATUS = {
    "host": "builder",
    "hub": "https://hub.example.com/kojihub",
    "version": "1.2",
    "pid": 77,
    "runtime_version": "podman 4.3.1",
    "ready": False,
    "reason": "Draining: \x1b[31mkernel",
    "drain": {"since": 100.0, "by": "root", "reason": "\x1b[31mkernel"},
    "load": 1.5,
    "check_in_age": 3.0,
    "adopted": True,
    "tasks": [
        {"task_id": 7, "method": "buildArch", "since": 40.0, "waiting": False, "adopted": True},
        {"task_id": 8, "method": "build", "since": 30.0, "waiting": True, "adopted": False},
    ],
    "disks": [{"path": "/state", "free_mb": 900}, {"path": "/gone", "free_mb": None}],
}


class Daemon:
    """Answers each command with the next of what it has."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def call(self, command: str, **arguments: Any) -> Any:
        self.asked.append((command, arguments))
        answer = self.answers[command.replace("-", "_")]
        return answer.pop(0) if isinstance(answer, list) else answer


def run(module: Any, daemon: Daemon, line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command's module at a daemon."""
    monkeypatch.setattr(module, "client_of", lambda _arguments: daemon)
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(shlex.split(line))))


def test_status_text() -> None:
    """Why nothing is taken stands there, and nothing in it acts on the terminal."""
    assert status_command.as_text(STATUS, 160.0) == (
        "host       builder at https://hub.example.com/kojihub\n"
        "daemon     koji-adjutant 1.2, pid 77, podman 4.3.1\n"
        "ready      no: Draining: ^[[31mkernel\n"
        "draining   for 1 min, asked for by root: ^[[31mkernel\n"
        "tasks      1 running, 1 waiting for children\n"
        "load       1.50\n"
        "check-in   3 s ago\n"
        "disk       /state: 900 MB free\n"
        "disk       /gone: cannot be looked at\n"
    )


def test_status_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints the answer as it is."""
    assert run(status_command, Daemon(status=STATUS), "--json", monkeypatch) == 0
    assert json.loads(capsys.readouterr().out) == STATUS


def test_tasks_text() -> None:
    """A row for each task."""
    assert tasks_command.as_text({"now": 100.0, "tasks": STATUS["tasks"]}) == (
        "TASK  METHOD     OPEN FOR    STATE\n"
        "7     buildArch  1 min       running, adopted\n"
        "8     build      1 min 10 s  waiting for children\n"
    )
    told = {**STATUS["tasks"][0], "label": "foo-1.0-1.src.rpm", "phase": "rpmbuild"}
    assert tasks_command.as_text({"now": 100.0, "tasks": [told]}) == (
        "TASK  METHOD     WHAT               OPEN FOR  STATE             PHASE\n"
        "7     buildArch  foo-1.0-1.src.rpm  1 min     running, adopted  rpmbuild\n"
    )
    assert tasks_command.as_text({"now": 1.0, "tasks": []}) == "no task runs here\n"


def drained(tasks: list[dict[str, Any]]) -> dict[str, Any]:
    return {**STATUS, "tasks": tasks}


def test_drain_waits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It returns when what is left only waits for children."""
    monkeypatch.setattr(drain_command, "LOOK_SECONDS", 0.0)
    busy, idle = drained(STATUS["tasks"]), drained(STATUS["tasks"][1:])
    daemon = Daemon(drain={"drain": STATUS["drain"], "running": 1, "waiting": 1}, status=[busy, busy, idle])
    assert run(drain_command, daemon, "--reason kernel --wait", monkeypatch) == 0
    printed = capsys.readouterr()
    assert daemon.asked[0] == ("drain", {"reason": "kernel"})
    assert printed.err == "1 running, 1 waiting for children\n"
    assert "tasks: 0 running, 1 waiting for children" in printed.out


@pytest.mark.parametrize(
    ("status", "words", "text"),
    [(STATUS, "--wait --timeout 0", "still run"), ({**STATUS, "drain": None}, "--wait", "lifted")],
)
def test_drain_that_does_not_come_to_its_end(
    status: dict[str, Any], words: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time-out and somebody else's `resume` are failures."""
    monkeypatch.setattr(drain_command, "LOOK_SECONDS", 0.001)
    with pytest.raises(ControlError, match=text):
        run(drain_command, Daemon(drain={"running": 1, "waiting": 1}, status=status), words, monkeypatch)


def test_resume(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whose drain it was is told; none to lift is fine."""
    daemon = Daemon(resume=[{"lifted": {"since": 0.0, "by": "ann", "reason": "x"}}, {"lifted": None}])
    assert run(resume_command, daemon, "", monkeypatch) == 0
    assert run(resume_command, daemon, "", monkeypatch) == 0
    assert capsys.readouterr().out.startswith("tasks are taken again; ann had drained (x) for ")


def test_sweep_text() -> None:
    """What would go is told apart from what went."""
    row = {"kind": "container", "name": "c", "task_id": 4, "age": 400.0, "reason": "it belongs to no task"}
    text = sweep_command.as_text({"dry_run": True, "leftovers": [row, {**row, "kind": "buildroot", "age": None}]})
    assert text.splitlines()[:3] == [
        "would go:",
        "KIND       NAME  AGE         REASON",
        "container  c     6 min 40 s  it belongs to no task",
    ]
    assert sweep_command.as_text({"dry_run": True, "leftovers": []}) == "nothing would go\n"
    assert sweep_command.as_text({"dry_run": False, "leftovers": [row]}).startswith("removed")


def test_images(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The list is short enough for people, and an image in use is a failure where it was named."""
    row = {
        "reference": "localhost/koji-adjutant/prepared:0123456789abcdef",
        "kind": "root",
        "tag": "f42-build",
        "repo_id": 9,
        "size": 300 << 20,
        "created": 40.0,
        "last_used": 98.0,
    }
    assert image_command.list_text({"images": [row, {**row, "repo_id": None}]}, 100.0).splitlines()[1:] == [
        "0123456789ab  root  f42-build  9     300.0 MiB  1 min ago  2 s ago",
        "0123456789ab  root  f42-build        300.0 MiB  1 min ago  2 s ago",
        "2 images, 600.0 MiB",
    ]
    held = {"evicted": [], "in_use": [row["reference"]]}
    assert run(image_command, Daemon(image_evict=held), "evict 0123", monkeypatch) == 1
    assert run(image_command, Daemon(image_evict=held), "evict --all", monkeypatch) == 0
    assert "in use" in capsys.readouterr().out
    for words in ("evict", "evict --all 0123"):
        with pytest.raises(UsageError):
            run(image_command, Daemon(), words, monkeypatch)


FOUND = {"runtime": "podman", "service": "unix:///run/podman/podman.sock", "container": "adjutant-1-task"}


def test_shell_command() -> None:
    """The runtime's own client gets arguments, no shell of ours reads them."""
    argv = podman_argv(FOUND, ["echo", "a b; c"], tty=False, user="mockbuild", environ={})
    assert argv == [
        *("podman", "--url", "unix:///run/podman/podman.sock", "exec", "--interactive"),
        *("--env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "--env", "HOME=/root"),
        *("--user", "mockbuild", "adjutant-1-task", "echo", "a b; c"),
    ]
    argv = podman_argv(FOUND, [], tty=True, user=None, environ={"TERM": "xterm"})
    assert argv[9:14] == ["--tty", "--detach-keys", "", "--env", "TERM=xterm"]
    assert argv[14] == "adjutant-1-task"
    assert "busybox" in argv[15]


def test_socket_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """adjutant.yaml names the socket; `--socket` needs none; one that is turned off cannot be asked."""
    monkeypatch.delenv("ADJUTANT_CONFIG", raising=False)
    parser = argparse.ArgumentParser()
    add_socket_arguments(parser)
    config = tmp_path / "adjutant.yaml"

    def path(*words: str) -> Path:
        return client_of(parser.parse_args(["--adjutant-config", str(config), *words])).path

    assert path("--socket", "/x.sock") == Path("/x.sock")
    config.write_text(f"state_dir: {tmp_path}")
    assert path() == tmp_path / "control.sock"
    config.write_text("control: {socket: /run/y.sock}")
    assert path() == Path("/run/y.sock")
    config.write_text("control: {socket: off}")
    with pytest.raises(UsageError, match="no control socket"):
        path()


def test_no_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, and the message names the socket and the remedy."""
    assert main(["status", "--socket", str(tmp_path / "x.sock")]) == 3
    printed = capsys.readouterr()
    assert str(tmp_path / "x.sock") in printed.err
    assert "systemctl start" in printed.err
    assert printed.out == ""
