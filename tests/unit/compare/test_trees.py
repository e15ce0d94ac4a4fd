"""What two trees of tasks may differ in, and what is a difference."""

from dataclasses import replace

import pytest

from tests.compare.trees import Node, differences, masked

CHILD = Node(
    method="buildArch",
    label="x86_64",
    arch="x86_64",
    state="CLOSED",
    weighs=True,
    fault=None,
    result={"logs": ["TASK/build.log"], "brootid": "int"},
    files=frozenset({"build.log", "a.rpm"}),
    children=(),
)
PARENT = Node("build", None, "noarch", "CLOSED", True, None, None, frozenset(), (CHILD,))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (17, "int"),
        (True, True),
        (None, None),
        ("tasks/17/17/build.log", "TASK/build.log"),
        ("compare/1700000000.7/a.src.rpm", "UPLOAD/a.src.rpm"),
        ("No such task: task 5, WORK", "No such task: task N, WORK"),
        ({"logs": ["tasks/3/3/b", "tasks/3/3/a"]}, {"logs": ["TASK/a", "TASK/b"]}),
        ([[1, "x"], None], [["int", "x"], None]),
    ],
)
def test_what_is_masked(value, expected):
    """Ids and the places made of them; words, truth values and the order that means something stay."""
    assert masked(value) == expected


def test_ours_may_add_its_own_logs():
    """Files beside kojid's are no difference, in the result neither."""
    child = replace(
        CHILD,
        files=CHILD.files | {"adjutant-env.json"},
        result={"logs": ["TASK/adjutant-env.json", "TASK/build.log"], "brootid": "int"},
    )
    assert differences(replace(PARENT, children=(child,)), PARENT) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"state": "FAILED", "fault": (1005, "x")}, "/build/buildArch(x86_64)"),
        ({"arch": "noarch"}, "/build/buildArch(x86_64)"),
        ({"weighs": False}, "/build/buildArch(x86_64)"),
        ({"result": {"logs": [], "brootid": "int"}}, "/build/buildArch(x86_64)"),
        ({"files": frozenset({"build.log"})}, "/build/buildArch(x86_64)"),
        ({"files": frozenset({"build.log", "a.rpm", "b.rpm"})}, "/build/buildArch(x86_64)"),
        ({"label": "i686"}, "/build"),
    ],
)
def test_what_differs(change, where):
    """State, fault, arch, weight, result, files and labels each count, with the task named."""
    found = differences(replace(PARENT, children=(replace(CHILD, **change),)), PARENT)
    assert found
    assert {difference.where for difference in found} == {where}
