"""`koji-adjutant tasks`: the tasks that run on this host."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from koji_adjutant.cli.control_socket import add_socket_arguments, client_of, print_json
from koji_adjutant.cli.terminal_text import duration, table

EXAMPLES = """\
koji-adjutant tasks
koji-adjutant tasks --json | jq '.tasks[].task_id'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    add_socket_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask and print."""
    data = client_of(arguments).call("tasks")
    if arguments.json:
        print_json(data)
    else:
        sys.stdout.write(as_text(data))
    sys.stdout.flush()
    return 0


def as_text(data: dict[str, Any]) -> str:
    """Return the answer for people; a column that tells nothing of any task is left out."""
    if not data["tasks"]:
        return "no task runs here\n"
    columns = {
        "TASK": [str(task["task_id"]) for task in data["tasks"]],
        "METHOD": [task["method"] for task in data["tasks"]],
        "WHAT": [task.get("label", "") for task in data["tasks"]],
        "OPEN FOR": [duration(data["now"] - task["since"]) for task in data["tasks"]],
        "STATE": [_state(task) for task in data["tasks"]],
        "PHASE": [task.get("phase", "") for task in data["tasks"]],
    }
    told = {head: cells for head, cells in columns.items() if any(cells)}
    return table(tuple(told), list(zip(*told.values(), strict=True)))


def _state(task: dict[str, Any]) -> str:
    state = "waiting for children" if task["waiting"] else "running"
    return f"{state}, adopted" if task["adopted"] else state
