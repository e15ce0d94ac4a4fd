"""The directory of static programs for containers."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from koji_adjutant.container.static_tools import _BUILT, is_static, static_directory
from koji_adjutant.errors import ConfigurationError

needs_runner = pytest.mark.skipif(not _BUILT.exists(), reason="adjutant-runner is not compiled: run `make setup`")


@needs_runner
def test_directory_is_made_once_and_is_readable_by_all(tmp_path: Path) -> None:
    """The same contents give the same directory; containers with other ids can execute what is in it."""
    found = static_directory(cache=tmp_path)
    assert static_directory(cache=tmp_path) == found
    runner = found / "adjutant-runner"
    assert runner.read_bytes() == _BUILT.read_bytes()
    assert stat.S_IMODE(found.stat().st_mode) == stat.S_IMODE(runner.stat().st_mode) == 0o755
    assert [path.name for path in (tmp_path / "static").iterdir()] == [found.name]


@needs_runner
def test_configured_directory_is_taken_as_it_is(tmp_path: Path) -> None:
    """A site's own directory needs the runner in it."""
    shutil.copy(_BUILT, tmp_path / "adjutant-runner")
    assert static_directory(tmp_path) == tmp_path


def test_configured_directory_without_the_runner(tmp_path: Path) -> None:
    """The missing program is named, with what to do."""
    with pytest.raises(ConfigurationError, match="adjutant-runner") as caught:
        static_directory(tmp_path)
    assert "build_hook" in caught.value.resolution


def test_dynamic_program_is_refused(tmp_path: Path) -> None:
    """A program that needs a loader would not start in an empty root."""
    dynamic = Path(os.path.realpath(sys.executable))
    shutil.copy(shutil.which("cat") or dynamic, tmp_path / "adjutant-runner")
    with pytest.raises(ConfigurationError, match="not a static program"):
        static_directory(tmp_path)


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 100])
def test_what_is_no_program_is_not_static(tmp_path: Path, data: bytes) -> None:
    """Scripts and damaged files are refused."""
    (tmp_path / "x").write_bytes(data)
    assert not is_static(tmp_path / "x")
