"""`koji-adjutant sweep`: removes what belongs to no task any more, now instead of at the next turn of the clock."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from koji_adjutant.cli.control_socket import add_socket_arguments, client_of, print_json
from koji_adjutant.cli.terminal_text import duration, table

EXAMPLES = """\
koji-adjutant sweep --dry-run
koji-adjutant sweep
koji-adjutant sweep --dry-run --json | jq '.leftovers[] | select(.kind == "container")'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would go and why; nothing is touched")
    add_socket_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Sweep, or only look."""
    data = client_of(arguments).call("sweep", dry_run=arguments.dry_run)
    if arguments.json:
        print_json(data)
    else:
        sys.stdout.write(as_text(data))
    sys.stdout.flush()
    return 0


def as_text(data: dict[str, Any]) -> str:
    """Return the answer for people."""
    found = data["leftovers"]
    if not found:
        return "nothing would go\n" if data["dry_run"] else "there was nothing to remove\n"
    head = "would go:\n" if data["dry_run"] else "removed (what could not be is in the daemon's log):\n"
    rows = [
        (row["kind"], row["name"], "" if row["age"] is None else duration(row["age"]), row["reason"]) for row in found
    ]
    return head + table(("KIND", "NAME", "AGE", "REASON"), rows)
