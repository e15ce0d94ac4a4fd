"""The order of a Maven chain, and when a build need not be built again (contract 4.4). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Made = int | str
"""What a package has become: a build's NVR, or the task of a scratch build."""

_OF_THE_CHAIN = ("scmurl", "buildrequires", "type")
_OF_NO_EFFECT = frozenset({"-e", "--errors", "-q", "--quiet", "-V", "--show-version", "-X", "--debug"})


class Chain:
    """Packages, what each waits for, and what has become of them."""

    def __init__(self, builds: Mapping[str, Mapping[str, Any]]) -> None:
        self.builds = builds
        self._needs = {package: set(params.get("buildrequires", ())) for package, params in builds.items()}
        self._done: dict[str, Made] = {}
        self._started: set[str] = set()

    @property
    def left(self) -> list[str]:
        """Packages that were not begun."""
        return [package for package in self.builds if package not in self._started and package not in self._done]

    def ready(self) -> list[str]:
        """Packages that can be begun now."""
        return [package for package in self.left if self._needs[package] <= self._done.keys()]

    def start(self, package: str) -> None:
        self._started.add(package)

    def finish(self, package: str, made: Made) -> None:
        self._done[package] = made

    def wrapped(self, package: str) -> Made:
        """Return what a wrapper wraps."""
        return self._done[self.builds[package]["buildrequires"][0]]

    def options(self, package: str) -> dict[str, Any]:
        """Return the options of a package's child; those of a Maven build name all that it depends on."""
        params = self.builds[package]
        options = {key: value for key, value in params.items() if key not in _OF_THE_CHAIN}
        deps = self._dependencies(package)
        if params.get("type", "maven") == "maven" and deps:
            options["deps"] = sorted(deps, key=str)
        return options

    def _dependencies(self, package: str) -> set[Made]:
        found: set[Made] = set()
        for need in self._needs[package]:
            found |= {self._done[need]} | self._dependencies(need)
        return found


def maven_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a Maven build that affect what it makes."""
    kept = {key: value for key, value in options.items() if key not in {"skip_tag", "scratch", "jvm_options"}}
    if "maven_options" in kept:
        kept["maven_options"] = [option for option in kept["maven_options"] if option not in _OF_NO_EFFECT]
        if not kept["maven_options"]:
            del kept["maven_options"]
    return kept


def same_options(one: Any, other: Any) -> bool:
    """Whether options are equal; the order of lists does not matter."""
    if not isinstance(one, type(other)):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_options(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return sorted(one, key=str) == sorted(other, key=str)
    return bool(one == other)
