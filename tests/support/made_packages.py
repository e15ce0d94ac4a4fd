"""Small packages that a test makes for itself, under names no hub has seen."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from tests.distro.rpmbuild import rpmbuild

_SPEC = """Name: {name}
Version: 1.0
Release: {release}
Summary: Made by a test
License: MIT
{arch}

%description
{description}

%files

%changelog
* Mon Jan 06 2025 Adjutant Tests <tests@example.com> - 1.0-1
- First build
"""


@dataclass(frozen=True)
class MadePackage:
    """A source package and the one binary package it makes."""

    name: str
    release: str
    srpm: Path
    rpm: Path

    @property
    def nvr(self) -> str:
        return f"{self.name}-1.0-{self.release}"

    @property
    def build(self) -> dict[str, str | None]:
        """What `initBuild` wants to know."""
        return {"name": self.name, "version": "1.0", "release": self.release, "epoch": None}


def make_package(
    directory: Path, *, name: str = "", release: str = "1", noarch: bool = False, description: str = "Nothing."
) -> MadePackage:
    """Build a package for x86_64, or without arch. Raises DistroError when rpmbuild is not here or fails."""
    chosen = name or f"made-{secrets.token_hex(4)}"
    out = directory / secrets.token_hex(4)
    out.mkdir(parents=True)
    spec = out / f"{chosen}.spec"
    arch = "BuildArch: noarch" if noarch else "ExclusiveArch: x86_64"
    spec.write_text(_SPEC.format(name=chosen, release=release, arch=arch, description=description))
    rpmbuild("-ba", spec, out / "work", out, out, {"_target_cpu": "x86_64"})
    (srpm,) = out.glob("*.src.rpm")
    (rpm,) = (path for path in out.glob("*.rpm") if path != srpm)
    return MadePackage(chosen, release, srpm, rpm)
