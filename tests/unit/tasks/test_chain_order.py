"""The order of a Maven chain."""

from __future__ import annotations

import pytest

from koji_adjutant.tasks.chain_order import Chain, maven_options, same_options

BUILDS = {
    "c": {"scmurl": "u", "buildrequires": ["b"], "goals": ["x"]},
    "a": {"scmurl": "u"},
    "b": {"scmurl": "u", "buildrequires": ["a"]},
    "w": {"scmurl": "u", "buildrequires": ["c"], "type": "wrapper"},
}


def test_order() -> None:
    """A package is ready when all it needs is there; what it needs comes along as dependencies."""
    chain = Chain(BUILDS)
    for package, made in (("a", 7), ("b", "b-1-1"), ("c", "c-1-1")):
        assert chain.ready() == [package]
        chain.start(package)
        assert chain.ready() == []
        chain.finish(package, made)
    assert chain.options("c") == {"goals": ["x"], "deps": [7, "b-1-1"]}
    assert chain.wrapped("w") == "c-1-1"
    assert chain.options("w") == {}
    assert chain.left == ["w"]


def test_circle() -> None:
    """Nothing is ready, and something is left."""
    chain = Chain({"a": {"scmurl": "u", "buildrequires": ["b"]}, "b": {"scmurl": "u", "buildrequires": ["a"]}})
    assert (chain.ready(), chain.left) == ([], ["a", "b"])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"goals": ["a", "b"]}, {"goals": ["b", "a"]}, True),
        ({"properties": {"a": "1"}}, {"properties": {"a": "2"}}, False),
        ({"maven_options": ["-X"], "scratch": True, "jvm_options": ["-v"]}, {}, True),
        ({"maven_options": ["-X", "-o"]}, {"maven_options": ["-o"]}, True),
        ({"envs": {}}, {}, False),
    ],
)
def test_same_options(one: dict[str, object], other: dict[str, object], *, same: bool) -> None:
    """What has no effect on the output does not count."""
    assert same_options(maven_options(one), maven_options(other)) == same
