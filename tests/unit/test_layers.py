"""The layers of docs and design: imports point downwards, clients stay where they belong, modules stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "koji_adjutant"

GROUND = frozenset({"config", "errors", "logs", "disk", "deep_trees", "metrics", "tracing"})
BELOW = {
    # What each part may import, itself aside. Entry points may import everything.
    "errors": frozenset[str](),
    "logs": GROUND,
    "disk": frozenset({"errors"}),
    "deep_trees": frozenset[str](),
    "metrics": frozenset[str](),
    "tracing": frozenset({"errors"}),
    "config": GROUND,
    "log_sink": GROUND,
    "hub": GROUND | {"log_sink"},
    "container": GROUND | {"log_sink"},
    "repos": GROUND,
    "scm": GROUND | {"log_sink", "container"},
    "buildroot": GROUND | {"log_sink", "container"},
    "tasks": GROUND | {"log_sink", "container", "hub", "buildroot", "repos", "scm"},
    "manager": GROUND | {"log_sink", "container", "hub", "buildroot", "repos", "scm", "tasks"},
    "monitoring": GROUND | {"log_sink", "container", "hub", "buildroot", "repos", "scm", "tasks", "manager"},
    "control": GROUND | {"log_sink", "container", "hub", "buildroot", "repos", "scm", "tasks", "manager", "monitoring"},
    "minihub": GROUND,
}
ENTRY_POINTS = frozenset({"cli", "daemon"})
ONLY_FROM = {"monitoring": {"daemon", "control"}, "control": {"daemon", "cli"}, "minihub": {"cli"}}
"""Parts that nobody but these imports."""

CLIENTS = {
    "podman": ("container/podman*",),
    "kubernetes": ("container/kubernetes*", "manager/lease*"),
    "rpm": (),
    "koji.arch": (),
    "koji.rpmdiff": (),
    "librepo": (),
    "createrepo_c": (),
    "opentelemetry": ("tracing*",),
    "koji": ("hub/*", "tasks/*", "scm/*", "manager/*", "minihub/*"),
}
"""Where a client library may be imported; nowhere: what parses packages with librpm, which a build could attack."""

VAGUE = {"utils", "util", "helpers", "helper", "misc", "common"}
LONG, REASONED = 250, 400
"""Lines of a module: the rule, and the most there may be with the reason in the docstring."""
REASON = "Longer than"


@dataclass(frozen=True)
class Import:
    """An import statement: the importing file, the line, the module named."""

    path: str
    line: int
    module: str

    def __str__(self) -> str:
        """Name the place as editors take it."""
        return f"{PACKAGE}/{self.path}:{self.line} imports {self.module}"


@cache
def modules() -> tuple[Path, ...]:
    """All modules of the package."""
    return tuple(sorted((ROOT / PACKAGE).rglob("*.py")))


@cache
def imports() -> tuple[Import, ...]:
    """All imports of the package, wherever in a module they stand."""
    return tuple(
        found for path in modules() for found in imports_of(path.relative_to(ROOT / PACKAGE), path.read_text())
    )


def imports_of(path: Path, text: str) -> Iterator[Import]:
    """Imports of one module, relative ones and submodules of a `from` made absolute."""
    package = [PACKAGE, *path.parent.parts]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (Import(str(path), node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names] if module in {PACKAGE, ""} else [module]
            yield from (Import(str(path), node.lineno, name) for name in names)


def part_of(path: str) -> str:
    """The part of the package a file belongs to: its first directory, or its name."""
    return Path(path).parts[0].removesuffix(".py")


def crossing(found: Import) -> str | None:
    """The part an import leads into, if it is another one of ours."""
    words = found.module.split(".")
    if words[0] != PACKAGE or len(words) == 1 or words[1].startswith("__"):
        return None
    return words[1] if words[1] != part_of(found.path) else None


def is_upward(found: Import) -> bool:
    """Whether an import breaks the order of the layers."""
    source, target = part_of(found.path), crossing(found)
    if target is None:
        return False
    if target in ONLY_FROM and source not in ONLY_FROM[target]:
        return True
    return source not in ENTRY_POINTS and target not in BELOW.get(source, GROUND)


def is_misplaced(found: Import) -> bool:
    """Whether a client library is imported where it must not be."""
    places = CLIENTS.get(found.module, CLIENTS.get(found.module.partition(".")[0]))
    return places is not None and not any(fnmatchcase(found.path, place) for place in places)


def test_imports_point_downwards() -> None:
    """No module imports from a layer above or beside it."""
    assert [str(found) for found in imports() if is_upward(found)] == []


def test_every_part_has_its_place() -> None:
    """A new top-level part must be given its layer here."""
    parts = {part_of(str(path.relative_to(ROOT / PACKAGE))) for path in modules()} - {"__init__", "__main__"}
    assert parts - set(BELOW) - ENTRY_POINTS == set()


def test_client_libraries_stay_below_their_seams() -> None:
    """podman, kubernetes and koji are imported only where style and design allow it."""
    assert [str(found) for found in imports() if is_misplaced(found)] == []


@pytest.mark.parametrize(
    ("path", "text", "upward", "misplaced"),
    [
        ("container/a.py", "from koji_adjutant.hub import session", True, False),
        ("container/a.py", "from koji_adjutant import hub", True, False),
        ("container/a.py", "from ..hub.session import Session", True, False),
        ("container/a.py", "from . import steps", False, False),
        ("hub/a.py", "def f():\n    import koji_adjutant.container.interface", True, False),
        ("manager/a.py", "from koji_adjutant.minihub.server import Server", True, False),
        ("manager/a.py", "from koji_adjutant.control.server import Call", True, False),
        ("cli/a.py", "from koji_adjutant.monitoring.view import DaemonView", True, False),
        ("control/a.py", "from koji_adjutant.monitoring.view import DaemonView", False, False),
        ("cli/a.py", "from koji_adjutant.minihub.server import Server", False, False),
        ("tasks/a.py", "import podman.errors", False, True),
        ("container/podman_manager.py", "import podman", False, False),
        ("container/interface.py", "import koji", False, True),
        ("cli/a.py", "from koji.util import parseTime", False, True),
        ("tasks/a.py", "import koji.arch", False, True),
        ("tasks/a.py", "from rpm import ts", False, True),
    ],
)
def test_a_breach_is_seen(path: str, text: str, *, upward: bool, misplaced: bool) -> None:
    """The rules above find what they are for, however the import is written."""
    found = list(imports_of(Path(path), text))
    assert any(map(is_upward, found)) == upward
    assert any(map(is_misplaced, found)) == misplaced


def test_modules_are_not_long() -> None:
    """250 lines; up to 400 only with the reason in the docstring ("Longer than ...: ...")."""
    too_long = []
    for path in modules():
        text = path.read_text()
        lines = text.count("\n")
        reasoned = REASON in (ast.get_docstring(ast.parse(text)) or "")
        if lines > (REASONED if reasoned else LONG):
            too_long.append(f"{path.relative_to(ROOT)}: {lines}")
    assert too_long == []


def test_functions_are_not_long() -> None:
    """None has more than 50 lines."""
    functions = [
        (path.relative_to(ROOT), node)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    long = [
        f"{path}:{node.lineno} {node.name}" for path, node in functions if (node.end_lineno or 0) - node.lineno >= 50
    ]
    assert long == []


def test_names_say_something() -> None:
    """No module or directory of the project has a name that fits everything."""
    places = [path.relative_to(ROOT) for path in (*modules(), *(ROOT / "tests").rglob("*.py"))]
    assert [str(path) for path in places if VAGUE & {part.removesuffix(".py") for part in path.parts}] == []
