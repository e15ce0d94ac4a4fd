"""Reads a site's mock configuration as text: which of its options have another place here, and which none.

The files are Python; they are parsed, never run. Options of plugins are named `plugin_conf.NAME`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from koji_adjutant.cli.checks.check import Finding, note
from koji_adjutant.cli.checks.mock_options import EQUIVALENTS, PER_TASK

DIRECTORY = Path("/etc/mock")


@dataclass(frozen=True)
class MockOption:
    """An option that a file sets, by its top-level name."""

    name: str
    place: str
    """FILE:LINE"""


def check_mock_site(directory: Path = DIRECTORY) -> Sequence[Finding]:
    """Note each option of `directory`/*.cfg that would lose its effect, once per option."""
    findings: list[Finding] = []
    places: dict[str, list[str]] = {}
    for file in sorted(directory.glob("*.cfg")):
        try:
            for option in read_options(file):
                places.setdefault(option.name, []).append(option.place)
        except (OSError, SyntaxError, ValueError) as error:
            findings.append(note(f"{file} cannot be read as mock configuration: {error}"))
    return findings + [_note(name, where) for name, where in sorted(places.items()) if name not in PER_TASK]


def read_options(file: Path) -> Iterator[MockOption]:
    """List the options that `file` sets.

    Raises:
        SyntaxError, ValueError: it is no Python. OSError: it cannot be read.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    for node in ast.walk(tree):
        for target in _targets(node):
            name = _option_name(target)
            if name is not None:
                yield MockOption(name, f"{file}:{target.lineno}")


def _note(name: str, places: Sequence[str]) -> Finding:
    where = places[0] if len(places) == 1 else f"{places[0]} and {len(places) - 1} more"
    instead = EQUIVALENTS.get(name)
    if instead:
        return note(f"mock option {name} ({where}) has no effect here", f"Its place is {instead}.")
    return note(
        f"mock option {name} ({where}) has no equivalent", "If builds rely on it, say so before this host takes over."
    )


def _targets(node: ast.AST) -> Sequence[ast.expr]:
    """Return what `node` changes: assignment targets, or the object whose changing method is called."""
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        return [node.target]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return [node.func.value] if node.func.attr in ("append", "extend", "insert", "update", "setdefault") else []
    return []


def _option_name(target: ast.expr) -> str | None:
    """Return `macros` for config_opts['macros']['%x'], `plugin_conf.x` for config_opts['plugin_conf']['x']['y']."""
    keys: list[str] = []
    while isinstance(target, ast.Subscript):
        keys.insert(0, str(target.slice.value) if isinstance(target.slice, ast.Constant) else "?")
        target = target.value
    if not isinstance(target, ast.Name) or target.id != "config_opts" or not keys:
        return None
    return ".".join(keys[:2]) if keys[0] == "plugin_conf" else keys[0]
