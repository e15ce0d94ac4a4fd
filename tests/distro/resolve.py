"""Debian's Depends to RPM's Requires, and which packages can be reached by them (pure)."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Mapping

from tests.distro.catalog import DROP
from tests.distro.debian import Deb, Dependency, evr_text

Providers = Mapping[str, list[tuple[Deb, str]]]

_RELATIONS = {"<<": "<", "<=": "<=", "=": "=", ">=": ">=", ">>": ">", "<": "<=", ">": ">="}


def resolve(debs: Iterable[Deb], seeds: Iterable[str]) -> list[Deb]:
    """Fill `requires` of every package that `seeds` need, and return those packages, by name."""
    providers = _providers(debs)
    reached: dict[str, Deb] = {}
    todo = [deb for seed in seeds for deb in _best(seed, providers.get(seed, []))]
    while todo:
        deb = todo.pop()
        if deb.name in reached:
            continue
        reached[deb.name] = deb
        for clause in deb.depends:
            todo += _require(deb, clause, providers)
    return [reached[name] for name in sorted(reached)]


def _providers(debs: Iterable[Deb]) -> Providers:
    providers: dict[str, list[tuple[Deb, str]]] = collections.defaultdict(list)
    for deb in debs:
        for name, version in deb.provided if deb.name not in DROP else []:
            providers[name].append((deb, version))
    return providers


def _require(deb: Deb, clause: list[Dependency], providers: Providers) -> list[Deb]:
    """Add the first alternative that exists as a Requires; a clause nothing of ours can meet is dropped."""
    for wanted in clause:
        if wanted.name in DROP:
            return []
        found = providers.get(wanted.name, [])
        if not found:
            continue
        requirement = wanted.name + _version(wanted, found)
        if requirement not in deb.requires:
            deb.requires.append(requirement)
        return _best(wanted.name, found)
    return []


def _version(wanted: Dependency, found: list[tuple[Deb, str]]) -> str:
    """Write the version part; a versioned dependency needs versioned provides."""
    if not wanted.relation or not all(version for _, version in found) or not re.search(r"\w$", wanted.version):
        return ""
    relation = _RELATIONS[wanted.relation]
    if relation == ">" and "-" not in wanted.version:
        relation = ">="  # for rpm 2.36-9 is not greater than 2.36, for dpkg it is
    return f" {relation} {evr_text(wanted.version)}"


def _best(name: str, found: list[tuple[Deb, str]]) -> list[Deb]:
    """Prefer the package of that name to those that only provide it."""
    return ([deb for deb, _ in found if deb.name == name] or [deb for deb, _ in found])[:1]
