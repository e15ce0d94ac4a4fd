"""The command `koji-adjutant`: finds the subcommand, runs it, turns errors into one message and an exit code.

A subcommand is a row of `COMMANDS` and a module with two functions, imported only when it is asked for:
`add_arguments(parser)` and `run(arguments) -> exit code`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import koji_adjutant
from koji_adjutant.errors import AdjutantError, ContainerError, HubError
from koji_adjutant.logs import configure_logging

PROGRAM = "koji-adjutant"
EXIT_INFRASTRUCTURE = 75
"""EX_TEMPFAIL: hub or runtime failed, not what was asked for."""
EXIT_INTERRUPTED = 130


class CommandModule(Protocol):
    """What the module of a subcommand offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, arguments: argparse.Namespace) -> int: ...


@dataclass(frozen=True)
class Command:
    """`infrastructure_exit` is the exit code for errors of hub and runtime; None: the error's own."""

    module: str
    summary: str
    infrastructure_exit: int | None = None


COMMANDS: Mapping[str, Command] = {
    "build": Command(
        "koji_adjutant.cli.build_command", "build one SRPM on this machine, without a Koji hub", EXIT_INFRASTRUCTURE
    ),
    "check": Command("koji_adjutant.cli.check_command", "check configuration, hub, runtime, images and disk"),
    "config": Command("koji_adjutant.cli.config_command", "show the effective configuration, secrets hidden"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code; usage errors of argparse leave by `SystemExit(2)`."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] not in COMMANDS:
        _overview(words)
    name, command = words[0], COMMANDS[words[0]]
    module = cast("CommandModule", importlib.import_module(command.module))
    parser = argparse.ArgumentParser(prog=f"{PROGRAM} {name}", description=command.summary)
    module.add_arguments(parser)
    arguments = parser.parse_args(words[1:])
    configure_logging("console")
    try:
        return module.run(arguments)
    except AdjutantError as error:
        sys.stderr.write(error_text(error))
        return exit_code(error, command)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `koji-adjutant config | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def error_text(error: AdjutantError) -> str:
    """Write an error for a terminal: what failed, the evidence, the remedy."""
    parts = [f"{PROGRAM}: {error.brief}", error.details, error.resolution]
    return "\n".join(part for part in parts if part) + "\n"


def exit_code(error: AdjutantError, command: Command) -> int:
    """Return the exit code of `error` under `command`."""
    if command.infrastructure_exit is not None and isinstance(error, (HubError, ContainerError)):
        return command.infrastructure_exit
    return error.exit_code


def _overview(words: Sequence[str]) -> None:
    """Print help, version or a usage error; never returns."""
    rows = "\n".join(f"  {name:<10} {command.summary}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="A Koji builder that runs each task in short-lived containers.",
        epilog=f"commands:\n{rows}\n\n`{PROGRAM} COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {koji_adjutant.__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=sorted(COMMANDS))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...")
    parser.parse_args(words)
    parser.error("the command comes first")


if __name__ == "__main__":
    sys.exit(main())
