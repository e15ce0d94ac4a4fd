"""Manual pages and docs/commands.md, made from the parsers that read the command line.

python -m koji_adjutant.cli.manual man DIR           one page for each command
python -m koji_adjutant.cli.manual completion DIR    a completion script for each shell
python -m koji_adjutant.cli.manual markdown          docs/commands.md, to stdout
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from koji_adjutant.cli.completion_command import SHELLS, script
from koji_adjutant.cli.main import COMMANDS, DESCRIPTION, PROGRAM, Command
from koji_adjutant.cli.manual_pages import command_page, overview_page
from koji_adjutant.cli.manual_text import Argument, Manual, Part

COMPLETION_NAMES = {"bash": PROGRAM, "zsh": f"_{PROGRAM}", "fish": f"{PROGRAM}.fish"}
"""Names under which the shells look for them."""


@dataclass(frozen=True)
class _Walker:
    """Reads one parser."""

    parser: argparse.ArgumentParser

    def arguments(self) -> tuple[Argument, ...]:
        return tuple(
            self._argument(action)
            for action in self.parser._actions  # noqa: SLF001 - argparse has no other way to ask
            if action.help != argparse.SUPPRESS and not isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
        )

    def below(self) -> Iterator[tuple[str, argparse.ArgumentParser]]:
        for action in self.parser._actions:  # noqa: SLF001 - as above
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
                yield from action.choices.items()

    def _argument(self, action: argparse.Action) -> Argument:
        default = {"default": action.default, "prog": self.parser.prog}
        return Argument(
            options=tuple(action.option_strings),
            value="" if action.nargs == 0 else str(action.metavar or action.dest.upper()),
            many=action.nargs in {"*", "+", argparse.REMAINDER},
            optional=action.nargs in {"*", "?", argparse.REMAINDER},
            text=(action.help or "") % default,
        )


def manual_of(name: str, command: Command) -> Manual:
    """Read a command's parser."""
    module = command.load()
    parser = argparse.ArgumentParser(prog=f"{PROGRAM} {name}")
    module.add_arguments(parser)
    walker = _Walker(parser)
    parts = [Part("", "", walker.arguments())]
    parts += [
        Part(below, below_parser.description or "", _Walker(below_parser).arguments())
        for below, below_parser in walker.below()
    ]
    return Manual(
        name=f"{PROGRAM} {name}",
        summary=command.summary,
        parts=tuple(parts),
        examples=tuple(module.EXAMPLES.splitlines()),
        exits=dict(command.exits),
    )


def manuals() -> tuple[Manual, ...]:
    """Read all commands."""
    return tuple(manual_of(name, command) for name, command in COMMANDS.items())


def man_pages() -> dict[str, str]:
    """Return all pages by file name."""
    everything = manuals()
    pages = {f"{manual.name.replace(' ', '-')}.1": command_page(manual) for manual in everything}
    return {f"{PROGRAM}.1": overview_page(PROGRAM, DESCRIPTION, everything), **pages}


def main(argv: Sequence[str] | None = None) -> int:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(description="Write manual pages, completions or docs/commands.md.")
    parser.add_argument("what", choices=("man", "completion", "markdown"))
    parser.add_argument("directory", nargs="?", type=Path, help="where to write; markdown goes to stdout")
    arguments = parser.parse_args(argv)
    if arguments.what == "markdown":
        from koji_adjutant.cli.manual_markdown import document

        sys.stdout.write(document(manuals()))
        return 0
    if arguments.directory is None:
        parser.error(f"{arguments.what} needs a directory")
    files = man_pages() if arguments.what == "man" else {COMPLETION_NAMES[shell]: script(shell) for shell in SHELLS}
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (arguments.directory / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
