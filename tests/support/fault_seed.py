"""Where the faults of a test come from: a number that is the same in each run of that test, unless a base is asked for."""

from __future__ import annotations

import os
import zlib

import pytest

VARIABLE = "ADJUTANT_FAULT_SEED"
"""Base of all seeds; any text. Unset, it is what CI uses."""
DEFAULT = "20260101"


def fault_seed(node: pytest.Item) -> int:
    """The seed of a test; a failure of it shows the base to run it with again."""
    base = os.environ.get(VARIABLE) or DEFAULT
    node.add_report_section("setup", "faults", f"{VARIABLE}={base}")
    return seed_of(base, node.nodeid)


def seed_of(base: str, nodeid: str) -> int:
    """Mix base and test (pure); a test's own seed, so that what ran before it or beside it makes no difference."""
    return zlib.crc32(f"{base} {nodeid}".encode())
