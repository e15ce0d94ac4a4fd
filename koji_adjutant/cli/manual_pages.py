"""Manuals in the macros of man(7). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from koji_adjutant import __version__
from koji_adjutant.cli.manual_text import Argument, Manual, Part

SECTION = "1"
FILES = (
    ("/etc/koji-adjutant/adjutant.yaml", "settings of the daemon; names the control socket"),
    ("/etc/kojid/kojid.conf", "the builder's configuration, as kojid has it"),
)


def command_page(manual: Manual) -> str:
    """Return the page of one command."""
    return "\n".join(_command_lines(manual)) + "\n"


def overview_page(program: str, description: str, manuals: Sequence[Manual]) -> str:
    """Return the page of the program, which names those of its commands."""
    lines = [
        _title(program),
        ".SH NAME",
        f"{_text(program)} \\- {_text(description[0].lower() + description[1:].rstrip('.'))}",
    ]
    lines += [".SH SYNOPSIS", f".B {_text(program)}", r"\fICOMMAND\fR [\fIARGUMENT\fR...]", ".SH COMMANDS"]
    for manual in manuals:
        page = manual.name.replace(" ", "-")
        lines += [".TP", f".BR {_text(page)} ({SECTION})", _text(f"{manual.summary}.")]
    lines += [".SH FILES"]
    for path, text in FILES:
        lines += [".TP", f".I {_text(path)}", _text(f"{text}.")]
    return "\n".join(lines) + "\n"


def _command_lines(manual: Manual) -> Iterator[str]:
    page = manual.name.replace(" ", "-")
    yield _title(page)
    yield from (".SH NAME", f"{_text(page)} \\- {_text(manual.summary)}", ".SH SYNOPSIS")
    for number, synopsis in enumerate(manual.synopses()):
        yield from ([".br"] if number else [])
        yield f".B {_text(synopsis)}"
    for part in manual.described:
        yield from _part_lines(part)
    yield from (".SH EXIT STATUS",)
    for code, text in manual.exits.items():
        yield from (".TP", f".B {code}", _text(f"{text}."))
    yield from (".SH EXAMPLES", ".nf", *map(_text, manual.examples), ".fi")
    yield from (".SH SEE ALSO", f".BR koji-adjutant ({SECTION})")


def _part_lines(part: Part) -> Iterator[str]:
    yield f'.SH "{part.action.upper()}"' if part.action else ".SH OPTIONS"
    if part.text:
        yield from (_text(part.text), ".PP")
    for argument in (*part.positionals, *part.options):
        yield from (".TP", _tag(argument), _text(_sentence(argument.text)))


def _tag(argument: Argument) -> str:
    value = f" \\fI{_text(argument.value)}\\fR" if argument.value else ""
    if not argument.options:
        return f"\\fI{_text(argument.value)}\\fR"
    return ", ".join(f"\\fB{_text(option)}\\fR{value}" for option in argument.options)


def _title(page: str) -> str:
    return f'.TH {_text(page.upper())} {SECTION} "" "koji-adjutant {__version__}" "User Commands"'


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _text(text: str) -> str:
    r"""Return `text` so that roff prints it as it is: backslashes, hyphens, and what a line must not begin with."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped[:1] in {".", "'"} else escaped
