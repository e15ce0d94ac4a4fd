"""A kickstart as Koji has it built: its includes put in, its repositories replaced by Koji's (contract 4.6). Pure.

kojid has pykickstart read the file on the builder and write it anew. Here it is changed line by line: comments and order stay,
no command is judged (livemedia-creator does that, in the root), and no file of the builder can be included.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import koji

SECTIONS = frozenset(
    {"%packages", "%pre", "%pre-install", "%post", "%onerror", "%traceback", "%addon", "%anaconda", "%certificate"}
)
"""From such a line to `%end` nothing is a command."""
MAX_INCLUDES = 100

Read = Callable[[str], str | None]
"""Gives a file of the checkout by its path there; None: there is none."""


@dataclass(frozen=True)
class Kickstart:
    """A kickstart, flat."""

    lines: tuple[str, ...]

    @property
    def boot_arguments(self) -> str:
        """What `bootloader --append` says; the last one counts."""
        found = ""
        for line in self.commands("bootloader"):
            try:
                words = shlex.split(line, comments=True)
            except ValueError:
                continue
            for number, word in enumerate(words):
                if word.startswith("--append="):
                    found = word.removeprefix("--append=")
                elif word == "--append" and number + 1 < len(words):
                    found = words[number + 1]
        return found

    def commands(self, name: str) -> Iterator[str]:
        """Yield the lines that are the command `name`."""
        return (line for line, command in _commands(self.lines) if command == name)

    def without(self, *names: str) -> Kickstart:
        """Return it without these commands."""
        return Kickstart(tuple(line for line, command in _commands(self.lines) if command not in names))

    def with_first(self, lines: Sequence[str]) -> Kickstart:
        """Return it with these commands before all others."""
        return Kickstart((*lines, *self.lines))

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


def read_kickstart(path: str, read: Read) -> Kickstart:
    """Read a kickstart and what it includes. `%include` of an absolute path or a URL stays: it is the root's business.

    Raises:
        koji.LiveCDError: an included file is not in the checkout, or there are too many.
        koji.BuildError: kojid's text for a kickstart that is not there.
    """
    if read(path) is None:
        raise koji.BuildError(f"Kickstart {path} does not exist.")
    return Kickstart(tuple(_flat(path, read)))


def koji_repos(opts_repo: str | Sequence[str] | None, base_url: str, base_name: str) -> list[str]:
    """Return the lines of the repositories to install from: those asked for, or the build repo."""
    if not opts_repo:
        return [f'repo --name="{base_name}" --baseurl={base_url}']
    wanted = opts_repo.split(",") if isinstance(opts_repo, str) else opts_repo
    return [f'repo --name="koji-override-{number}" --baseurl={url}' for number, url in enumerate(dict.fromkeys(wanted))]


def _flat(path: str, read: Read) -> Iterator[str]:
    """Yield all lines; an explicit stack, so that a file that includes itself ends as an error and not as a deep call."""
    waiting: list[tuple[str, Iterator[str]]] = [(path, iter((read(path) or "").splitlines()))]
    included = 0
    while waiting:
        current, lines = waiting[-1]
        line = next(lines, None)
        if line is None:
            waiting.pop()
            continue
        target = _included(line)
        if target is None:
            yield line
            continue
        included += 1
        name = posixpath.normpath(posixpath.join(posixpath.dirname(current), target))
        text = read(name) if included <= MAX_INCLUDES else None
        if text is None:
            why = (
                "it is not in the checkout"
                if included <= MAX_INCLUDES
                else f"there are more than {MAX_INCLUDES} includes"
            )
            raise koji.LiveCDError(f"Failed to read kickstart file '{target}' : {why}")
        waiting.append((name, iter(text.splitlines())))


def _included(line: str) -> str | None:
    words = line.split()
    if len(words) < 2 or words[0] != "%include":
        return None
    target = words[1].strip("\"'")
    return None if target.startswith("/") or "://" in target else target


def _commands(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each line with the command it is, "" for what is none."""
    inside = False
    for line in lines:
        first = (line.split() or [""])[0]
        if inside:
            inside = first != "%end"
            yield line, ""
        elif first in SECTIONS:
            inside = True
            yield line, ""
        else:
            yield line, first
