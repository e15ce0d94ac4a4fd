"""Headers of packages as data, and how two of them differ, element by element."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

ALWAYS_DIFFERENT = frozenset(
    {
        "Buildtime",
        "Buildhost",
        "Cookie",
        # Signature and payload digests: of what the tags above stand in.
        "Sigsize",
        "Longsigsize",
        "Sigmd5",
        "Sha1header",
        "Sha256header",
        "Payloaddigest",
        "Payloaddigestalt",
    }
)
"""Tags that the issue takes out of the comparison, under rpm's names."""

Header = Mapping[str, Sequence[str]]


def read_header(rpm: Path) -> Header:
    """Return every tag of a package with its values, as `rpm -qp --xml` gives them.

    Raises:
        subprocess.CalledProcessError: rpm cannot read it.
    """
    command = ["rpm", "-qp", "--nosignature", "--nodigest", "--xml", str(rpm)]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    return parse_header(output)


def parse_header(document: bytes) -> Header:
    """Turn rpm's XML into lists of texts by tag (pure)."""
    root = ET.fromstring(document)
    return {
        str(tag.get("name")): ["" if value.text is None else value.text for value in tag] for tag in root.iter("rpmTag")
    }


def differences(one: Header, other: Header) -> frozenset[str]:
    """Name what differs: `Tag`, or `Tag[element]` where both have the same number of values (pure).

    Elements of tags that describe files are named by the file's path.
    """
    found: set[str] = set()
    one, other = _without_build_host(one), _without_build_host(other)
    for tag in (one.keys() | other.keys()) - ALWAYS_DIFFERENT:
        left, right = one.get(tag), other.get(tag)
        if left == right:
            continue
        if left is None or right is None or len(left) != len(right):
            found.add(tag)
            continue
        names = _element_names(tag, one, len(left))
        found.update(f"{tag}[{name}]" for name, a, b in zip(names, left, right, strict=True) if a != b)
    return frozenset(found)


def describe(name: str, one: Header, other: Header) -> str:
    """Write the two values of a difference in one line (pure)."""
    tag, _, element = name.partition("[")
    left, right = one.get(tag), other.get(tag)
    if element and left is not None and right is not None:
        names = _element_names(tag, one, len(left))
        index = names.index(element.removesuffix("]"))
        return f"{name}: {left[index]!r} / {right[index]!r}"
    return f"{name}: {_short(left)} / {_short(right)}"


def files(header: Header) -> Mapping[str, tuple[str, ...]]:
    """Return mode, owner, group, flags, link, capabilities, verify flags of each file of the payload (pure)."""
    paths = _paths(header)
    columns = [header.get(tag, ()) for tag in FILE_TAGS]
    rows = [tuple(column[n] if n < len(column) else "" for column in columns) for n in range(len(paths))]
    return dict(zip(paths, rows, strict=True))


FILE_TAGS = (
    "Filemodes",
    "Fileusername",
    "Filegroupname",
    "Fileflags",
    "Filelinktos",
    "Filecaps",
    "Fileverifyflags",
    "Filelangs",
    "Filerdevs",
)


def _without_build_host(header: Header) -> Header:
    """Put a mark in place of the build host's name where a spec brought the macro into another tag."""
    host = (header.get("Buildhost") or [""])[0]
    if not host:
        return header
    named = re.compile(rf"(buildhost=){re.escape(host)}\b")
    return {tag: [named.sub(r"\1HOST", value) for value in values] for tag, values in header.items()}


def _paths(header: Header) -> list[str]:
    directories = header.get("Dirnames", ())
    indexes = header.get("Dirindexes", ())
    names = header.get("Basenames", ())
    return [directories[int(index)] + name for index, name in zip(indexes, names, strict=True)]


def _element_names(tag: str, header: Header, count: int) -> list[str]:
    paths = _paths(header)
    if tag.startswith("File") and len(paths) == count:
        return paths
    return [str(number) for number in range(count)]


def _short(values: Sequence[str] | None) -> str:
    if values is None:
        return "absent"
    return repr(list(values[:4])) + (f" and {len(values) - 4} more" if len(values) > 4 else "")
