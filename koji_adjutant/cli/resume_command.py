"""`koji-adjutant resume`: lifts a drain."""

from __future__ import annotations

import argparse
import sys
import time

from koji_adjutant.cli.control_socket import add_socket_arguments, client_of, print_json
from koji_adjutant.cli.terminal_text import duration, harmless

EXAMPLES = """\
koji-adjutant resume
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    add_socket_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Lift the drain; one that is not there is fine."""
    data = client_of(arguments).call("resume")
    lifted = data["lifted"]
    if arguments.json:
        print_json(data)
    elif lifted is None:
        sys.stdout.write("there was no drain\n")
    else:
        why = f" ({lifted['reason']})" if lifted["reason"] else ""
        text = f"tasks are taken again; {lifted['by']} had drained{why} for {duration(time.time() - lifted['since'])}\n"
        sys.stdout.write(harmless(text))
    sys.stdout.flush()
    return 0
