"""The rule on skips: allowed at home, a failure in CI unless no machine of ours could run the test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
IN_A_TEST = 'import pytest\n\ndef test_it():\n    pytest.skip("{reason}")\n'
IN_A_FIXTURE = """import pytest

@pytest.fixture
def it():
    pytest.skip("{reason}")

def test_it(it):
    pass
"""
WHOLE_MODULE = 'import pytest\n\npytest.skip("{reason}", allow_module_level=True)\n'


@pytest.mark.parametrize("text", [IN_A_TEST, IN_A_FIXTURE, WHOLE_MODULE], ids=["test", "fixture", "module"])
@pytest.mark.parametrize(
    ("ci", "reason", "passes"),
    [("", "no podman", True), ("1", "no podman", False), ("1", "not here: no cluster", True)],
)
def test_a_skip_counts(tmp_path: Path, text: str, ci: str, reason: str, *, passes: bool) -> None:
    """With ADJUTANT_CI=1 a skip fails, with its reason, wherever it was raised."""
    (tmp_path / "test_skipped.py").write_text(text.format(reason=reason))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.conftest",
        "-c",
        "pyproject.toml",
    ]
    env = {**os.environ, "ADJUTANT_CI": ci}
    ran = subprocess.run([*command, str(tmp_path)], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    said = ran.stdout + ran.stderr
    assert ("1 skipped" in said) == passes, said
    assert (ran.returncode not in {0, 5}) == (not passes), said
    assert reason in said
