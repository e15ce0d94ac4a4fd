"""The description of a kiwi image, as Koji has it built: its includes resolved, its repositories replaced (contract 4.7).

Pure. A description is the work of whoever asked for the image: it is parsed within bounds, and reads no file but its own.
"""

from __future__ import annotations

import io
import posixpath
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import koji

from koji_adjutant.tasks.maven_output import harmless_pom

MAX_DEPTH = 100
"""Elements in one another; descriptions have about ten."""
INSIDE = "this://"
"""The one way of an include: relative to the description."""


@dataclass(frozen=True)
class Facts:
    """What a description says of its image. `profile`: the last that is an image of its own."""

    name: str
    version: str
    profile: str | None


@dataclass(frozen=True)
class Wanted:
    """What Koji writes into a description."""

    name: str
    version: str
    releasever: str
    repos: Sequence[str]


def read_facts(path: str, data: bytes) -> Facts:
    """Read a description.

    Raises:
        koji.GenericError, koji.BuildError: the plugin's texts.
    """
    image = _image(path, data)
    version = None
    for preferences in image.iter("preferences"):
        found = next(preferences.iter("version"), None)
        if found is not None and found.text:
            version = found.text
    if not version:
        raise koji.BuildError("Description file doesn't contain preferences/version")
    profiles = next(image.iter("profiles"), None)
    names = [] if profiles is None else [p.get("name") for p in profiles.iter("profile") if p.get("image") == "true"]
    return Facts(image.get("name") or "", version, names[-1] if names else None)


def rewrite(path: str, data: bytes, wanted: Wanted, read: Callable[[str], bytes | None]) -> bytes:
    """Return the description to build from. `read` gives a file by its path beside the description, or None.

    Raises:
        koji.GenericError, koji.BuildError: the plugin's texts.
    """
    image = _image(path, data)
    for include in image.findall("include"):
        _append(image, include.get("from") or "", path, read)
        image.remove(include)
    for repository in image.findall("repository"):
        image.remove(repository)
    for url in sorted(set(wanted.repos)):
        repository = ET.SubElement(image, "repository", {"type": "rpm-md"})
        ET.SubElement(repository, "source", {"path": url})
    image.set("name", wanted.name)
    _set_version(image, wanted)
    ET.indent(image, "\t")
    return bytes(ET.tostring(image, encoding="utf-8", xml_declaration=True))


def target_name(path: str, arch: str) -> str:
    """Return where the rewritten description stands: beside the given one."""
    return f"{posixpath.splitext(path)[0]}.{arch}.kiwi"


def _append(image: ET.Element, source: str, path: str, read: Callable[[str], bytes | None]) -> None:
    if not source.startswith(INSIDE):
        raise koji.GenericError(f"Unhandled include protocol in include path: {source}.")
    name = posixpath.normpath(source.removeprefix(INSIDE))
    data = None if name.startswith(("/", "..")) else read(posixpath.join(posixpath.dirname(path), name))
    if data is None:
        raise koji.GenericError(f"Included file {source} of {posixpath.basename(path)} is not there.")
    for node in _element(name, data, f"Included file {name} can't be parsed as XML."):
        if node.tag not in {"repository", "include"}:
            image.append(node)


def _set_version(image: ET.Element, wanted: Wanted) -> None:
    preferences = next((each for each in image.iter("preferences") if each.find("version") is not None), None)
    version = None if preferences is None else preferences.find("version")
    if preferences is None or version is None:
        raise koji.BuildError("Description file doesn't contain preferences/version")
    version.text = wanted.version
    releasever = preferences.find("release-version")
    if releasever is None:
        releasever = ET.SubElement(preferences, "release-version")
    releasever.text = wanted.releasever


def _image(path: str, data: bytes) -> ET.Element:
    name = posixpath.basename(path)
    return _element(name, data, f"Kiwi description {name} can't be parsed as XML.")


def _element(name: str, data: bytes, complaint: str) -> ET.Element:
    text = harmless_pom(name, data).encode()
    try:
        _check_depth(name, text)
        root = ET.fromstring(text)  # noqa: S314 - without entities, and not deep
    except ET.ParseError as error:
        raise koji.GenericError(complaint) from error
    image = next(root.iter("image"), None)
    if image is None:
        what = (
            "Included file needs to contain"
            if complaint.startswith("Incl")
            else f"Kiwi description {name} doesn't contain"
        )
        raise koji.GenericError(f"{what} <image> tag.")
    return image


def _check_depth(name: str, text: bytes) -> None:
    depth = 0
    for event, element in ET.iterparse(io.BytesIO(text), ("start", "end")):  # noqa: S314 - without entities
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise koji.GenericError(f"{name} is deeper than {MAX_DEPTH} elements")
        if event == "end":
            element.clear()
