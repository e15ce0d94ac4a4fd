"""The seed of a test's faults: its own, and the same in each run."""

from __future__ import annotations

from tests.support.fault_seed import seed_of


def test_the_same_in_each_run() -> None:
    """A seed that once showed a failure shows it again, in another process too."""
    assert seed_of("20260101", "tests/conformance/test_exec.py::test_exit_code[faulty-podman]") == 3678674940


def test_another_for_each_test_and_base() -> None:
    """Tests do not fail in step, and a soak with another base tries something else."""
    assert len({seed_of(base, test) for base in ("1", "2") for test in ("a", "b")}) == 4
