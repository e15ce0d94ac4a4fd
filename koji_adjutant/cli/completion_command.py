"""`koji-adjutant completion`: what makes a shell complete the commands and their options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from koji_adjutant.errors import AdjutantError

EXAMPLES = """\
koji-adjutant completion bash > /etc/bash_completion.d/koji-adjutant
koji-adjutant completion zsh > /usr/share/zsh/site-functions/_koji-adjutant
koji-adjutant completion fish > /usr/share/fish/vendor_completions.d/koji-adjutant.fish
"""
FILES = frozenset({"FILE", "PATH", "SRPM", "FILE|NAME"})
DIRECTORIES = frozenset({"DIR"})
"""Names of arguments whose values are files or directories."""
SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"one of {', '.join(SHELLS)}")


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    sys.stdout.write(script(arguments.shell))
    sys.stdout.flush()
    return 0


def script(shell: str) -> str:
    """Return the completion script, made from the parsers.

    Raises:
        AdjutantError: shtab is not installed.
    """
    # late: this module's arguments are part of what is completed
    from koji_adjutant.cli.main import full_parser

    try:
        import shtab
    except ImportError as error:
        raise AdjutantError(
            "shtab is not installed, which writes completions",
            resolution=f"{Path(sys.executable).parent}/pip install shtab, or take the completions of the RPM.",
        ) from error
    parser = full_parser()
    for action in actions(parser):
        if action.metavar in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined] # shtab's way to be told
        elif action.metavar in DIRECTORIES:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined] # as above
    return str(shtab.complete(parser, shell=shell)).rstrip("\n") + "\n"


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield all actions of a parser and of the parsers below it."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for below in action.choices.values():
                yield from actions(below)
