"""What the documents name exists: links, commands, targets, settings, events, messages."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from koji_adjutant.cli.main import COMMANDS
from koji_adjutant.config.adjutant import AdjutantConfig
from koji_adjutant.config.environment import CONFIG_VARIABLE, merge, variables
from koji_adjutant.config.kojid_conf import OPTIONS
from koji_adjutant.config.reference import reference
from koji_adjutant.daemon import main as daemon_main

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "koji_adjutant"
TROUBLESHOOTING = ROOT / "docs/troubleshooting.md"
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)

SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
DOTTED = re.compile(r"[a-z_]+(\.[a-z_]+)+")
FILE_ENDS = ("conf", "json", "jsonl", "log", "md", "py", "service", "sh", "toml", "xml", "yaml")
OF_A_TAG = ("adjutant.", "mock.", "rpm.")
PLACEHOLDER = re.compile(r"\b(?:[A-Z]|ID|KEY|NAME|SOCKET|URL|ADJUTANT_[XY])\b|'[^']*'|/etc/[a-z/.-]+|\.\.\.")


def spans(text: str) -> list[str]:
    """Everything between backquotes."""
    return SPAN.findall(text)


def code(text: str) -> Iterator[str]:
    """Everything a reader may type: spans, and lines that are indented by four."""
    yield from spans(text)
    yield from (line.strip() for line in text.splitlines() if line.startswith("    "))


def anchors(path: Path) -> set[str]:
    """The anchors that a forge makes of a document's headings."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in titles}


def setting(name: str) -> bool:
    """Whether adjutant.yaml has a key of this dotted name."""
    model: type[BaseModel] | None = AdjutantConfig
    for part in name.split("."):
        if model is None or part not in model.model_fields:
            return False
        kind = model.model_fields[part].annotation
        model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    return True


@cache
def strings() -> tuple[str, ...]:
    """All texts of the package, with a blank for what is filled in; the runner's source as one."""
    found = [path.read_text() for path in sorted((PACKAGE / "container/runner").glob("*.c"))]
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                found.append("".join(str(part) for part in parts))
    return tuple(found)


def first_cells(text: str) -> Iterator[str]:
    """The first cell of each row of each table, without the heads."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    yield from (row.split(" | ")[0].removeprefix("| ") for row in rows if not row.startswith("| ---"))


@each_document
def test_links(document: Path):
    """Each relative link leads to a file of the repository, and to a heading of it."""
    for target in LINK.findall(document.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.is_relative_to(ROOT), target
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@each_document
def test_subcommands(document: Path):
    """Each `koji-adjutant X` is a subcommand."""
    for text in code(document.read_text()):
        for command in re.findall(r"(?:^|[/ ])koji-adjutant ([a-z]\S*)", text):
            assert command in COMMANDS, text


@each_document
def test_make_targets(document: Path):
    """Each `make X` is a target."""
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split()
    for text in code(document.read_text()):
        for target in re.findall(r"(?:^|[ ;])make ([a-z]\S*)", text):
            assert target in targets, text


@each_document
def test_dotted_names(document: Path):
    """Each dotted name is a setting, an event of the log, or a setting of a tag."""
    for span in spans(document.read_text()):
        name = span.partition(":")[0]
        if not DOTTED.fullmatch(name) or name.endswith(FILE_ENDS) or name.startswith(OF_A_TAG):
            continue
        assert setting(name) or name in strings(), name


@each_document
def test_setting_values(document: Path):
    """Each `key: value` of adjutant.yaml is one the model takes."""
    for span in spans(document.read_text()):
        key, colon, value = span.partition(": ")
        if not colon or not setting(key) or not re.fullmatch(r"\w+", value):
            continue
        values = yaml.safe_load(value)
        for part in reversed(key.split(".")):
            values = {part: values}
        AdjutantConfig.model_validate(merge({}, values))


@each_document
def test_variables(document: Path):
    """Each variable is one the program or its tests read."""
    known = {
        *variables(),
        CONFIG_VARIABLE,
        "ADJUTANT_CI",
        "ADJUTANT_FAULT_SEED",
        "ADJUTANT_TEST_CLUSTER_USERNS",
        "ADJUTANT_TEST_HUB",
        "ADJUTANT_TEST_LOAD_IMAGE",
        "ADJUTANT_TEST_NODE_NETNS",
        "ADJUTANT_TEST_SECCOMP_DIR",
        "ADJUTANT_X",
        "ADJUTANT_Y",
    }
    assert set(re.findall(r"ADJUTANT_[A-Z0-9_]+", document.read_text())) <= known


@each_document
def test_no_machine(document: Path):
    """No document names a place of the machine it was written on."""
    found = re.findall(r"(?<![\w.-])/(?:work|home|root|tmp|var/tmp/lab)/\S*", document.read_text())
    assert not found


def test_messages():
    """Each message and event that troubleshooting names stands in the package, piece by piece."""
    missing = []
    for cell in first_cells(TROUBLESHOOTING.read_text()):
        for span in spans(cell):
            pieces = [piece.strip(" :,") for piece in PLACEHOLDER.split(span)]
            missing += [piece for piece in pieces if piece and not any(piece in text for text in strings())]
    assert not missing


def test_options_of_kojid():
    """The options that migrating names are kojid's."""
    text = (ROOT / "docs/migrating-from-kojid.md").read_text()
    table = text.partition("## Options of kojid.conf")[2].partition("\n## ")[0]
    named = [span for cell in first_cells(table) for span in spans(cell)]
    assert named
    assert not [name for name in named if name not in {*OPTIONS, "plugins"}]


def test_daemon_options():
    """The options of the unit and of operations are kojid's: its parser takes them."""
    texts = [(ROOT / "systemd/koji-adjutant.service").read_text(), (ROOT / "docs/operations.md").read_text()]
    for text in texts:
        (line,) = re.findall(r"^\s*ExecStart=\S*/kojid (.+)$", text, re.MULTILINE)
        with pytest.raises(SystemExit) as ended:
            daemon_main([*line.split(), "--help"])
        assert ended.value.code == 0


def test_configuration_is_current():
    """docs/configuration.md is what the models give."""
    assert (ROOT / "docs/configuration.md").read_text() == reference()
