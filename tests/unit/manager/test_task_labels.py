"""Tasks are called as koji's own pages call them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from koji_adjutant.manager.task_labels import task_label


@pytest.mark.parametrize(
    ("method", "params", "label"),
    [
        (
            "buildArch",
            ["tasks/1/x/foo-1-1.src.rpm", {"name": "f43"}, "x86_64", True, {"repo_id": 3}],
            "foo-1-1.src.rpm, x86_64",
        ),
        ("build", ["git+https://me:secret@host/rpms/foo#abc", "f43"], "f43, /rpms/foo:abc"),
        ("newRepo", ["f43-build"], "f43-build"),
        ("sleep", [3], ""),
        ("buildArch", [], ""),
        ("of-a-plugin", [{"any": "thing"}], ""),
    ],
)
def test_labels(method: str, params: list[Any], label: str) -> None:
    """Package, arch, target or tag; nothing where koji knows nothing, and no password."""
    handler: Any = SimpleNamespace(method=method, params=params, opts={})
    assert task_label(handler) == label
