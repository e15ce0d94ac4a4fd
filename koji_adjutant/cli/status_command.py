"""`koji-adjutant status`: what the daemon does, and why it takes no task if it takes none."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from koji_adjutant.cli.control_socket import add_socket_arguments, client_of, print_json
from koji_adjutant.cli.terminal_text import duration, harmless

EXAMPLES = """\
koji-adjutant status
koji-adjutant status --json | jq -r .reason
koji-adjutant status --socket /run/koji-adjutant/control.sock
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    add_socket_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask and print; 0 whatever the state, as long as the daemon answers."""
    data = client_of(arguments).call("status")
    if arguments.json:
        print_json(data)
    else:
        sys.stdout.write(as_text(data, time.time()))
    sys.stdout.flush()
    return 0


def as_text(data: dict[str, Any], now: float, ago: Callable[[float], str] = duration) -> str:
    """Return the answer for people; `now` is unix time."""
    lines = [(name, harmless(text)) for name, text in _lines(data, now, ago)]
    return "".join(f"{name:<10} {text}\n" for name, text in lines)


def _lines(data: dict[str, Any], now: float, ago: Callable[[float], str]) -> Iterator[tuple[str, str]]:
    yield "host", f"{data['host']} at {data['hub']}"
    yield "daemon", f"koji-adjutant {data['version']}, pid {data['pid']}, {data['runtime_version'] or 'no runtime'}"
    yield "ready", "yes" if data["ready"] else f"no: {data['reason']}"
    drain = data["drain"]
    if drain is not None:
        why = f": {drain['reason']}" if drain["reason"] else ""
        yield "draining", f"for {ago(now - drain['since'])}, asked for by {drain['by']}{why}"
    yield "tasks", task_counts(data["tasks"])
    yield "load", f"{data['load']:.2f}"
    age = data["check_in_age"]
    yield "check-in", "the hub has not answered yet" if age is None else f"{ago(age)} ago"
    for disk in data["disks"]:
        free = "cannot be looked at" if disk["free_mb"] is None else f"{disk['free_mb']} MB free"
        yield "disk", f"{disk['path']}: {free}"


def task_counts(tasks: list[dict[str, Any]]) -> str:
    """Return how many run and how many only wait for their children."""
    waiting = sum(bool(task["waiting"]) for task in tasks)
    return f"{len(tasks) - waiting} running, {waiting} waiting for children"
