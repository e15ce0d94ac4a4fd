"""`koji-adjutant log`: a log of a task that runs here, from the builder's own disk, while it grows."""

from __future__ import annotations

import argparse
import base64
import codecs
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from koji_adjutant.cli.control_socket import add_socket_arguments, client_of, print_json
from koji_adjutant.cli.terminal_text import TerminalWriter, size_text, table
from koji_adjutant.control.client import ControlClient, InfrastructureFailed, NoDaemon, NotPermitted
from koji_adjutant.control.protocol import ControlError

EXAMPLES = """\
koji-adjutant log 4711
koji-adjutant log 4711 -f
koji-adjutant log 4711 -f -n 20 --log root.log
koji-adjutant log 4711 --list
koji-adjutant log 4711 > build.log
"""
PATIENCE = 900.0
"""Seconds to wait for a daemon that is restarted: what the hub waits for it too."""
RETRY_SECONDS = 1.0

Show = Callable[[str, int, bytes], None]
"""Gets log, offset and bytes of each piece."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.add_argument("task", metavar="TASK", type=int, help="number of a task that runs here, or whose root is kept")
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on until the task ends, over restarts of the daemon"
    )
    parser.add_argument("--log", metavar="NAME", help="which log (default: build.log, else the one written last)")
    parser.add_argument("-n", "--lines", metavar="COUNT", type=int, help="begin with the last so many lines")
    parser.add_argument("--list", action="store_true", help="list the task's logs and their sizes instead")
    add_socket_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the log: on a terminal without what would act on it, elsewhere byte for byte."""
    client = client_of(arguments)
    if arguments.list:
        return _list(client, arguments)
    show = _json_lines() if arguments.json else _plain(TerminalWriter())
    Following(client, show, arguments.task, arguments.log).run(lines=arguments.lines, follow=arguments.follow)
    return 0


class Following:
    """One log of one task, shown from where it was last seen."""

    def __init__(
        self,
        client: ControlClient,
        show: Show,
        task: int,
        log: str | None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._show = show
        self._task = task
        self._log = log
        self._sleep = sleep
        self._clock = clock
        self._offset: int | None = None
        self._heard_at: float | None = None

    def run(self, *, lines: int | None, follow: bool) -> None:
        """Show until the end of the log, or of the task.

        Raises:
            ControlError: the daemon does not know the task, or does not come back.
        """
        away = False
        while True:
            try:
                self._read(lines=lines if self._offset is None else None, follow=follow)
            except NoDaemon:
                if not follow or self._heard_at is None or self._clock() - self._heard_at > PATIENCE:
                    raise
                if not away:
                    _say("the daemon is away; waiting for it")
                away = True
                self._sleep(RETRY_SECONDS)
            except (NotPermitted, InfrastructureFailed):
                raise
            except ControlError:
                if not away:
                    raise
                _say(f"task {self._task} has ended meanwhile; the rest of its log is at the hub")
                return
            else:
                return

    def _read(self, *, lines: int | None, follow: bool) -> None:
        stream = self._client.stream(
            "log", task=self._task, log=self._log, offset=self._offset, lines=lines, follow=follow
        )
        for piece in stream:
            self._heard_at = self._clock()
            self._take(piece)

    def _take(self, piece: dict[str, Any]) -> None:
        if "log" in piece:
            self._log = piece["log"]
        if piece.get("anew"):
            self._offset = 0
            _say(f"{self._log} has begun anew")
        elif "bytes" in piece:
            data = base64.b64decode(piece["bytes"])
            self._show(piece["log"], piece["offset"], data)
            self._offset = piece["offset"] + len(data)


def _plain(writer: TerminalWriter) -> Show:
    return lambda _log, _offset, data: writer.write(data)


def _json_lines() -> Show:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def show(log: str, offset: int, data: bytes) -> None:
        line = {"log": log, "offset": offset, "size": len(data), "text": decoder.decode(data)}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    return show


def _list(client: ControlClient, arguments: argparse.Namespace) -> int:
    data = client.call("logs", task=arguments.task)
    if arguments.json:
        print_json(data)
    elif data["logs"]:
        sys.stdout.write(table(("LOG", "SIZE"), [(row["name"], size_text(row["size"])) for row in data["logs"]]))
    else:
        sys.stdout.write(f"task {arguments.task} has no logs so far\n")
    sys.stdout.flush()
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"koji-adjutant: {text}\n")
    sys.stderr.flush()
