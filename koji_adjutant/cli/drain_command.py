"""`koji-adjutant drain`: the daemon takes no new task until `koji-adjutant resume`, over its restarts too."""

from __future__ import annotations

import argparse
import sys
import time

from koji_adjutant.cli.control_socket import add_socket_arguments, client_of, print_json
from koji_adjutant.cli.status_command import task_counts
from koji_adjutant.control.client import ControlClient
from koji_adjutant.control.protocol import ControlError

EXAMPLES = """\
koji-adjutant drain --reason 'new kernel'
koji-adjutant drain --wait && systemctl reboot
koji-adjutant drain --wait --timeout 3600
"""
LOOK_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.add_argument("--reason", metavar="TEXT", default="", help="what for; shown wherever the host's state is")
    parser.add_argument(
        "--wait", action="store_true", help="return when no task runs; those that only wait for children do not count"
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        help="with --wait: fail after so long; the drain stays (default: never)",
    )
    add_socket_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Drain, and wait if asked to."""
    client = client_of(arguments)
    data = client.call("drain", reason=arguments.reason)
    if arguments.wait:
        data.update(_wait(client, arguments.timeout))
    if arguments.json:
        print_json(data)
    else:
        counts = f"{data['running']} running, {data['waiting']} waiting for children"
        sys.stdout.write(f"no new task is taken until `koji-adjutant resume`; tasks: {counts}\n")
    sys.stdout.flush()
    return 0


def _wait(client: ControlClient, timeout: float | None) -> dict[str, int]:
    deadline = None if timeout is None else time.monotonic() + timeout
    shown = ""
    while True:
        status = client.call("status")
        if status["drain"] is None:
            raise ControlError("somebody has lifted the drain meanwhile")
        waiting = sum(bool(task["waiting"]) for task in status["tasks"])
        running = len(status["tasks"]) - waiting
        if not running and status["adopted"]:
            return {"running": 0, "waiting": waiting}
        if deadline is not None and time.monotonic() > deadline:
            raise ControlError(
                f"{running} tasks still run after {timeout:.0f} s", resolution="The drain stays in force."
            )
        if (text := task_counts(status["tasks"])) != shown:
            shown = text
            sys.stderr.write(f"{text}\n")
        time.sleep(LOOK_SECONDS)
