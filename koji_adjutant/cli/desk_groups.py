"""The packages every root holds: one group `build` out of comps files and the groups of repositories. Pure.

A buildArch task installs the group `build` of its repo, as kojid does. What the command line calls a group therefore
becomes that one.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from koji_adjutant.errors import UsageError

BUILD = "build"
USUAL = (BUILD, "buildsys-build")
"""Koji's own name for it, and Fedora's, in the order they are looked for."""


@dataclass(frozen=True)
class Member:
    """A package of a group, with the attributes comps gives it (`type`, `requires`, `basearchonly`)."""

    name: str
    attributes: tuple[tuple[str, str], ...] = (("type", "mandatory"),)


Groups = Mapping[str, tuple[Member, ...]]
"""Group id to members."""


def parse_comps(data: bytes, source: str) -> Groups:
    """Read a comps file.

    Raises:
        UsageError: it is none; names `source`.
    """
    try:
        root = ET.fromstring(data)  # noqa: S314 - of a repository whose packages the user runs anyway
    except ET.ParseError as error:
        raise UsageError(f"{source} is no comps file: {error}") from error
    if root.tag != "comps":
        raise UsageError(f"{source} is no comps file: it is <{root.tag}>")
    return {(entry.findtext("id") or "").strip(): _members(entry) for entry in root.iter("group")}


def _members(group: ET.Element) -> tuple[Member, ...]:
    entries = [entry for entry in group.iter("packagereq") if (entry.text or "").strip()]
    return tuple(Member((entry.text or "").strip(), tuple(sorted(entry.attrib.items()))) for entry in entries)


def group_of_file(groups: Groups, source: str) -> tuple[Member, ...]:
    """Return what a comps file given by name stands for: its usual group, or its only one.

    Raises:
        UsageError: it has several, none of them usual.
    """
    for name in USUAL:
        if groups.get(name):
            return groups[name]
    if len(groups) == 1:
        return next(iter(groups.values()))
    raise UsageError(
        f"{source} has no group {BUILD}, but {_listed(groups)}",
        resolution=f"Give a comps file with a group {BUILD}, or with one group only.",
    )


def choose(names: Sequence[str], files: Iterable[tuple[Member, ...]], repos: Sequence[Groups]) -> tuple[Member, ...]:
    """Return the members of the group `build`: of the comps files and the named groups of all repositories.

    Raises:
        UsageError: a group that no repository has, or an empty result.
    """
    given = [member for members in files for member in members]
    wanted = names or (() if given else (usual_name(repos),))
    found = [member for name in wanted for member in _named(name, repos)]
    members = tuple({member.name: member for member in [*given, *found]}.values())
    if not members:
        raise UsageError("the given groups hold no packages", resolution="Give another --group.")
    return members


def usual_name(repos: Sequence[Groups]) -> str:
    """Return the first usual name that a repository has; `build` if none has any."""
    return next((name for name in USUAL if any(groups.get(name) for groups in repos)), BUILD)


def _named(name: str, repos: Sequence[Groups]) -> list[Member]:
    members = [member for groups in repos for member in groups.get(name, ())]
    if not members:
        everything = sorted({known for groups in repos for known in groups})
        raise UsageError(
            f"no repository has a group {name}",
            details=f"groups there: {_listed(everything)}",
            resolution="Give --group NAME with one of them, or --group FILE with a comps file.",
        )
    return members


def render(members: Iterable[Member]) -> bytes:
    """Write a comps file with the one group `build`."""
    comps = ET.Element("comps")
    group = ET.SubElement(comps, "group")
    for tag, text in (
        ("id", BUILD),
        ("name", BUILD),
        ("description", ""),
        ("default", "false"),
        ("uservisible", "true"),
    ):
        ET.SubElement(group, tag).text = text
    listed = ET.SubElement(group, "packagelist")
    for member in members:
        ET.SubElement(listed, "packagereq", dict(member.attributes)).text = member.name
    document: bytes = ET.tostring(comps, encoding="utf-8", xml_declaration=True)
    return document


def _listed(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "") if shown else "none"
