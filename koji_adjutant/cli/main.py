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
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import koji_adjutant
from koji_adjutant.cli.exit_codes import INFRASTRUCTURE, INTERRUPTED, OF_BUILD, OF_CONTROL, OF_FILES, OF_SHELL
from koji_adjutant.errors import AdjutantError, ContainerError, HubError
from koji_adjutant.logs import configure_logging

PROGRAM = "koji-adjutant"
DESCRIPTION = "A Koji builder that runs each task in short-lived containers."


class CommandModule(Protocol):
    """What the module of a subcommand offers."""

    EXAMPLES: str
    """Command lines, one a line, for people."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, arguments: argparse.Namespace) -> int: ...


@dataclass(frozen=True)
class Command:
    """`exits`: what its exit codes mean. `infrastructure_exit`: that for errors of hub and runtime; None: the error's own."""

    module: str
    summary: str
    exits: Mapping[int, str] = field(default_factory=dict)
    infrastructure_exit: int | None = None

    def load(self) -> CommandModule:
        """Import the module."""
        return cast("CommandModule", importlib.import_module(self.module))


def _control(name: str, summary: str, exits: Mapping[int, str] = OF_CONTROL) -> Command:
    return Command(f"koji_adjutant.cli.{name}_command", summary, exits, INFRASTRUCTURE)


COMMANDS: Mapping[str, Command] = {
    "status": _control("status", "show what the daemon does, and why it takes no task"),
    "tasks": _control("tasks", "list the tasks that run here"),
    "log": _control("log", "show a log of a task, while it grows with -f"),
    "shell": _control("shell", "enter the root of a task", OF_SHELL),
    "drain": _control("drain", "take no new task until `resume`, over restarts too"),
    "resume": _control("resume", "take tasks again after `drain`"),
    "sweep": _control("sweep", "remove what belongs to no task any more"),
    "image": _control("image", "list, make and remove the images that roots start from"),
    "build": Command(
        "koji_adjutant.cli.build_command",
        "build one SRPM on this machine, without a Koji hub",
        OF_BUILD,
        INFRASTRUCTURE,
    ),
    "check": Command("koji_adjutant.cli.check_command", "check configuration, hub, runtime, images and disk", OF_FILES),
    "config": Command("koji_adjutant.cli.config_command", "show the effective configuration, secrets hidden", OF_FILES),
    "completion": Command(
        "koji_adjutant.cli.completion_command", "print what makes a shell complete commands and options", OF_FILES
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code; usage errors of argparse leave by `SystemExit(2)`."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] not in COMMANDS:
        _overview(words)
    name, command = words[0], COMMANDS[words[0]]
    module = command.load()
    parser = argparse.ArgumentParser(prog=f"{PROGRAM} {name}", **_texts(command, module))
    module.add_arguments(parser)
    arguments = parser.parse_args(words[1:])
    configure_logging("console")
    try:
        return module.run(arguments)
    except AdjutantError as error:
        sys.stderr.write(error_text(error))
        return exit_code(error, command)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `koji-adjutant config | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def full_parser() -> argparse.ArgumentParser:
    """Return one parser of all subcommands, for whatever is made from them; `main` reads each with its own."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"%(prog)s {koji_adjutant.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, command in COMMANDS.items():
        module = command.load()
        module.add_arguments(commands.add_parser(name, help=command.summary, **_texts(command, module)))
    return parser


def _texts(command: Command, module: CommandModule) -> dict[str, Any]:
    """Return what a parser shows around its arguments."""
    examples = "".join(f"  {line}\n" for line in module.EXAMPLES.splitlines())
    exits = "".join(f"  {code:<4} {text}\n" for code, text in command.exits.items())
    return {
        "description": f"{command.summary[0].upper()}{command.summary[1:]}.",
        "epilog": f"examples:\n{examples}\nexit codes:\n{exits}",
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


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
    rows = "\n".join(f"  {name:<11} {command.summary}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=DESCRIPTION,
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
