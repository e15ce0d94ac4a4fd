"""The same sources give the same sdist and wheel, wherever and whenever they are built."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PARTS = (
    "koji_adjutant",
    "etc",
    "systemd",
    "packaging",
    "docs",
    "README.md",
    "CHANGELOG.md",
    "Makefile",
    "pyproject.toml",
)


def built(directory: Path, age: int) -> list[Path]:
    """Sdist and wheel of a copy of the sources in `directory`, whose files are `age` seconds old."""
    source = directory / "source"
    ours = shutil.ignore_patterns("__pycache__", "adjutant-runner", ".build-*")
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=ours)
        else:
            shutil.copy(ROOT / name, source / name)
    for path in source.rglob("*"):
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(directory / "dist"), "-t", "sdist", "-t", "wheel"]
    environ = {**os.environ, "SOURCE_DATE_EPOCH": "1735689600"}
    subprocess.run(command, cwd=source, env=environ, check=True, capture_output=True)
    return sorted((directory / "dist").iterdir())


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> list[list[Path]]:
    """Built in two places whose names differ in length."""
    return [built(tmp_path_factory.mktemp(name), age) for name, age in (("one", 0), ("another-place", 86400))]


def test_same_bytes(twice: list[list[Path]]) -> None:
    """Names and contents are the same, the compiled runner's too."""
    first, second = ([(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths] for paths in twice)
    assert len(first) == 2
    assert first == second


def test_wheel_holds_what_an_installation_needs(twice: list[list[Path]]) -> None:
    """The runner, executable, and beside the package units, samples and the script that puts them in place."""
    (wheel,) = (path for path in twice[0] if path.suffix == ".whl")
    with zipfile.ZipFile(wheel) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    shared = f"{wheel.name.rpartition('-py3')[0]}.data/data/share/koji-adjutant"
    assert modes["koji_adjutant/container/runner/adjutant-runner"] & 0o111
    assert modes[f"{shared}/install-files"] & 0o111
    assert {f"{shared}/systemd/koji-adjutant.service", f"{shared}/etc/adjutant.yaml"} <= set(modes)
