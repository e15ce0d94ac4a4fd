"""The one spec of a checkout: found, read and checked as kojid does, in its words (contract 4.1, buildSRPMFromSCM)."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
import stat
from pathlib import Path

import koji

from koji_adjutant.scm.tree import read_text, resolve

SPECS = "SPECS"
SOURCES = "SOURCES"


def find_spec(top: Path, source: str, *, rpm_layout: bool) -> str:
    """Return the path of the spec relative to the source directory; both `source` and links stay below `top`.

    `rpm_layout`: kojid.conf's `support_rpm_source_layout`.

    Raises:
        koji.BuildError: there is none, several and none named as the directory, or it is no file of the checkout.
    """
    specs = _specs_in(top, source, "")
    if not specs and rpm_layout:
        specs = _specs_in(top, source, SPECS)
    if not specs:
        raise koji.BuildError("No spec file found")
    spec = specs[0] if len(specs) == 1 else _named_as_directory(source, specs)
    if not spec.isprintable():
        raise koji.BuildError(f"the name of spec file {spec!r} holds control characters")
    found = resolve(top, posixpath.join(source, spec))
    if found is None or not stat.S_ISREG(found.lstat().st_mode):
        raise koji.BuildError(f"spec file {spec} is no file of the checkout, nor a link to one")
    return spec


def check_spec(top: Path, source: str, spec: str) -> None:
    """Refuse what kojid refuses in a spec; as there, only its beginning is looked at (kojid's match has no other effect).

    Raises:
        koji.BuildError: in kojid's words.
    """
    text = read_text(top, posixpath.join(source, spec)) or ""
    for tag in ("Packager", "Distribution", "Vendor"):
        if re.match(f"{tag}:", text):
            raise koji.BuildError(f"{tag} is not allowed to be set in spec file")
    for tag in ("packager", "distribution", "vendor"):
        if re.match(rf"%define\s+{tag}\s+", text):
            raise koji.BuildError(f"{tag} is not allowed to be defined in spec file")


def sources_directory(top: Path, source: str, *, rpm_layout: bool) -> str:
    """Return where rpmbuild finds the sources, relative to the source directory: "" or `SOURCES`."""
    found = resolve(top, posixpath.join(source, SOURCES)) if rpm_layout else None
    return SOURCES if found is not None and found.is_dir() else ""


def _specs_in(top: Path, source: str, below: str) -> list[str]:
    directory = resolve(top, posixpath.join(source, below))
    if directory is None or not directory.is_dir():
        return []
    # A shell's glob, which kojid uses, passes over hidden files.
    names = fnmatch.filter((name for name in os.listdir(directory) if not name.startswith(".")), "*.spec")
    return sorted(posixpath.join(below, name) for name in names)


def _named_as_directory(source: str, specs: list[str]) -> str:
    name = posixpath.basename(source.rstrip("/"))
    for wanted in (f"{name}.spec", f"{SPECS}/{name}.spec"):
        if wanted in specs:
            return wanted
    raise koji.BuildError(f"Multiple spec files found but none is matching SCM checkout dir name: {specs}")
