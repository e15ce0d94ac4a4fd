"""What a manual says about a command, whatever form it is written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Argument:
    """An option, or a positional argument (`options` empty). `value`: what follows the option, or the argument's name."""

    options: tuple[str, ...]
    value: str
    text: str
    many: bool = False
    optional: bool = False

    @property
    def synopsis(self) -> str:
        """How it stands in a command line."""
        if self.options:
            return " ".join([self.options[-1], *([self.value] if self.value else [])])
        name = f"{self.value}..." if self.many else self.value
        return f"[{name}]" if self.optional else name


@dataclass(frozen=True)
class Part:
    """The arguments of a command, or of one action of it."""

    action: str
    """Empty: of the command itself."""
    text: str
    arguments: tuple[Argument, ...]

    @property
    def positionals(self) -> tuple[Argument, ...]:
        return tuple(argument for argument in self.arguments if not argument.options)

    @property
    def options(self) -> tuple[Argument, ...]:
        return tuple(argument for argument in self.arguments if argument.options)


@dataclass(frozen=True)
class Manual:
    """Everything about one command."""

    name: str
    summary: str
    parts: tuple[Part, ...]
    examples: tuple[str, ...] = ()
    exits: Mapping[int, str] = field(default_factory=dict)

    def synopses(self) -> tuple[str, ...]:
        """Return the forms of its command line: of each action, or its own."""
        acting = [part for part in self.parts if part.action]
        return tuple(
            " ".join(word for word in (self.name, part.action, "[OPTION...]", *_names(part)) if word)
            for part in acting or self.parts
        )

    @property
    def described(self) -> tuple[Part, ...]:
        """Parts with something to tell beside `--help`."""
        return tuple(part for part in self.parts if part.action or len(self.parts) == 1)


def _names(part: Part) -> tuple[str, ...]:
    return tuple(argument.synopsis for argument in part.positionals)
