"""`koji-adjutant shell`: into the root of a task, running or kept, as `podman exec -it` goes there."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from koji_adjutant.cli.control_socket import add_socket_arguments, client_of, print_json
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import AdjutantError

EXAMPLES = """\
koji-adjutant shell 4711
koji-adjutant shell 4711 rpm -qa
koji-adjutant shell --user mockbuild 4711
koji-adjutant shell --role tools 4711
koji-adjutant shell --print 4711
"""
ENVIRONMENT = ("--env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "--env", "HOME=/root")
"""A root's image names no path to look for programs in."""
BUSYBOX = f"{BIN_DIR}/busybox"
LOG_IN = (
    "cd /builddir/build 2>/dev/null || cd /builddir 2>/dev/null || cd /; "
    f"[ -x /bin/bash ] && exec /bin/bash -l; exec {BUSYBOX} sh -l"
)
"""A root may hold no shell yet, or not any more; busybox is mounted into it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.add_argument("task", metavar="TASK", type=int, help="number of a task that runs here, or whose root is kept")
    parser.add_argument(
        "command", metavar="COMMAND", nargs=argparse.REMAINDER, help="what to run there (default: a login shell)"
    )
    parser.add_argument(
        "--role",
        metavar="ROLE",
        help="which container: task, tools, work-... (default: the one whose root is the build's)",
    )
    parser.add_argument("--user", metavar="USER", help="user in the container (default: root)")
    parser.add_argument("--print", action="store_true", help="print the command instead of running it")
    add_socket_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Become the runtime's client. What runs in the container is a build's: do not trust what it prints."""
    found = client_of(arguments).call("shell", task=arguments.task, role=arguments.role)
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    argv = podman_argv(found, command, tty=tty, user=arguments.user, environ=os.environ)
    if arguments.json:
        print_json({**found, "argv": argv})
        return 0
    if arguments.print:
        sys.stdout.write(f"{shlex.join(argv)}\n")
        return 0
    if shutil.which(argv[0]) is None:
        raise AdjutantError(f"{argv[0]} is not installed here", resolution=f"The command would be: {shlex.join(argv)}")
    return _become(argv)


def _become(argv: list[str]) -> NoReturn:
    os.execvp(argv[0], argv)  # noqa: S606 - the runtime's own client, with arguments and no shell


def podman_argv(
    found: Mapping[str, Any], command: Sequence[str], *, tty: bool, user: str | None, environ: Mapping[str, str]
) -> list[str]:
    """Return the command line that enters the container the daemon named. Pure."""
    argv = ["podman", "--url", found["service"], "exec", "--interactive", *ENVIRONMENT]
    if tty:
        # No detach keys: whoever types ^P means the shell.
        argv += ["--tty", "--detach-keys", "", "--env", f"TERM={environ.get('TERM', 'dumb')}"]
    if user is not None:
        argv += ["--user", user]
    return [*argv, found["container"], *(command or [BUSYBOX, "sh", "-c", LOG_IN])]
