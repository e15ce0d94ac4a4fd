"""Manual pages, completions and docs/commands.md are what the parsers give."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from koji_adjutant.cli.completion_command import SHELLS, script
from koji_adjutant.cli.main import COMMANDS
from koji_adjutant.cli.manual import main, man_pages, manuals
from koji_adjutant.cli.manual_markdown import document

ROOT = Path(__file__).parents[3]
PAGES = man_pages()


def test_document_is_current() -> None:
    """docs/commands.md is what `make man` writes."""
    assert (ROOT / "docs/commands.md").read_text() == document(manuals())


def test_there_is_a_page_for_each_command() -> None:
    """And one that names them all."""
    assert set(PAGES) == {"koji-adjutant.1", *(f"koji-adjutant-{name}.1" for name in COMMANDS)}
    assert all(f"koji\\-adjutant\\-{name} (1)" in PAGES["koji-adjutant.1"] for name in COMMANDS)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_pages_are_readable(name: str) -> None:
    """Each page has the usual parts, and man has nothing to say against it."""
    text = PAGES[name]
    assert re.match(r"\.TH KOJI\\-ADJUTANT[A-Z\\-]* 1 ", text)
    for part in ("NAME", "SYNOPSIS"):
        assert f".SH {part}\n" in text
    if shutil.which("groff") is None:
        pytest.skip("not here: groff is not installed")
    shown = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-"], input=text.encode(), capture_output=True, check=True, timeout=60
    )
    assert shown.stderr == b""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown.stdout.decode())
    assert "koji-adjutant" in plain.replace("−", "-")


@pytest.mark.parametrize("shell", SHELLS)
def test_completions_know_everything(shell: str) -> None:
    """Each shell's script has all commands and options, and the shell can read it."""
    text = script(shell)
    assert all(name in text for name in (*COMMANDS, "dry-run", "adjutant-config", "evict"))
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=text.encode(), check=True, timeout=60)


def test_files_are_written(tmp_path: Path) -> None:
    """`make man` puts them under the names that man and shells look for."""
    assert main(["man", str(tmp_path / "man")]) == 0
    assert main(["completion", str(tmp_path / "completion")]) == 0
    assert {path.name for path in (tmp_path / "man").iterdir()} == set(PAGES)
    names = {path.name for path in (tmp_path / "completion").iterdir()}
    assert names == {"koji-adjutant", "_koji-adjutant", "koji-adjutant.fish"}
