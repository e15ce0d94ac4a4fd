"""The list of gaps is exact."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.gaps import GAPS


def test_gaps_name_tests():
    """Each gap names a test of the suite, and says why."""
    tests = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for names in GAPS.values():
        assert all(f"def {name}(" in tests and reason for name, reason in names.items())
