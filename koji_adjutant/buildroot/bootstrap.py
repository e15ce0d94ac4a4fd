"""Tools made of the tag's own repo, as mock's bootstrap: what is installed, what makes two of them the same (design 6.1).

The rpm that fills a root should be the rpm that the root holds: versions differ in the database's backend and path, in
the Lua of scriptlets, in sysusers. So where the repo has a package manager, it is installed once from outside by the
configured tools image, committed, and used for every further root of that repo.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from koji_adjutant.buildroot import dnf
from koji_adjutant.buildroot.contents import InstalledRpm
from koji_adjutant.buildroot.dnf import DnfLayout, Flavour, PackageManager
from koji_adjutant.buildroot.prepared import FORMAT as PREPARED_FORMAT
from koji_adjutant.buildroot.prepared import LABEL_FORMAT, LABEL_TAG
from koji_adjutant.buildroot.settings import RootSettings

FORMAT = 1
"""Raised when tools of an older version of this project would not do any more."""
REPOSITORY = "localhost/koji-adjutant/tools"
LABEL_TOOLS = "io.koji.adjutant.tools"
"""The key's digest."""

_COMMON = (
    "bash",
    "coreutils",
    "createrepo_c",
    "findutils",
    "git-core",
    "glibc-common",
    "grep",
    "gzip",
    "procps-ng",
    "python3-rpm",
    "rpm",
    "rpm-build",
    "sed",
    "shadow-utils",
    "tar",
    "util-linux",
    "xz",
    "zstd",
)


@dataclass(frozen=True)
class RepoTools:
    """Tools as a task asks for them: of this state of a repo. Known without looking into the repo."""

    starter_digest: str
    arch: str
    package_manager: str
    repomd_sha256: str
    install: str
    """`prepared.install_settings` of the tag."""
    format: int = FORMAT

    @property
    def digest(self) -> str:
        return _digest(asdict(self))


@dataclass(frozen=True)
class ToolsKey:
    """Tools by what they hold: a repo made anew gives the same ones unless their packages have changed."""

    starter_digest: str
    arch: str
    package_manager: str
    userns: bool
    """File owners on disk differ with and without."""
    packages: tuple[tuple[str, str], ...]
    """NEVRA and digest of each, sorted."""
    format: int = FORMAT

    @classmethod
    def of(cls, wanted: RepoTools, installed: Iterable[InstalledRpm], *, userns: bool) -> ToolsKey:
        """Return the key of what was installed for `wanted`."""
        packages = tuple(sorted((rpm.nevra, rpm.payloadhash) for rpm in installed))
        return cls(wanted.starter_digest, wanted.arch, wanted.package_manager, userns, packages)

    @property
    def digest(self) -> str:
        return _digest(asdict(self))

    @property
    def reference(self) -> str:
        return f"{REPOSITORY}:{self.digest}"

    def labels(self, tag_name: str) -> dict[str, str]:
        """Return the image's labels; with those of a prepared image it is evicted by the same rules."""
        return {LABEL_TOOLS: self.digest, LABEL_FORMAT: str(PREPARED_FORMAT), LABEL_TAG: tag_name}


def wanted_packages(package_manager: str) -> tuple[str, ...]:
    """Return what is installed, as far as the repo has it."""
    if package_manager == "dnf5":
        return ("dnf5", "dnf5-plugins", *_COMMON)
    return ("dnf", "dnf-plugins-core", *_COMMON)


def install_command(settings: RootSettings, layout: DnfLayout, manager: PackageManager) -> list[str]:
    """Return argv that installs the tools with the starter's package manager; what the repo lacks is left out."""
    lenient = ("--skip-unavailable", "--skip-broken") if manager.flavour is Flavour.DNF5 else ("--setopt=strict=0",)
    return dnf.command(settings, layout, manager, "install", *lenient, *wanted_packages(settings.package_manager))


def probe_commands(manager: PackageManager) -> tuple[tuple[str, ...], ...]:
    """Return the commands that tools must answer with exit code 0, run in the new root."""
    return (("rpm", "--version"), ("rpmbuild", "--version"), (manager.program, "builddep", "--help"), ("sh", "-c", ":"))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
