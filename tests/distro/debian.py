"""Debian's side: which packages apt would install on an empty system, their files, and what their control data says."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.distro.catalog import RENAME


class DistroError(Exception):
    """The distribution cannot be made here; the text says why and what to do."""


class Dependency(NamedTuple):
    """One alternative of a Depends clause; `relation` and `version` may be empty."""

    name: str
    relation: str
    version: str


class Evr(NamedTuple):
    """Epoch, version and release as RPM may have them."""

    epoch: str
    version: str
    release: str

    def __str__(self) -> str:
        """Join them as in a dependency."""
        return f"{self.epoch}:{self.version}-{self.release}" if self.epoch else f"{self.version}-{self.release}"


@dataclass
class Entry:
    """One file of a package."""

    path: str
    kind: str
    """`file`, `dir` or `link`."""
    mode: int = 0o644
    user: str = "root"
    group: str = "root"


@dataclass
class Deb:
    """A Debian package on its way to an RPM; the lists below `size` are filled while it is unpacked."""

    path: Path
    name: str
    rpm: str
    evr: Evr
    source: str
    source_evr: Evr
    noarch: bool
    summary: str
    url: str
    size: int
    provided: list[tuple[str, str]]
    """Names (with Debian versions, or empty) that it provides, its own first."""
    depends: list[list[Dependency]]
    requires: list[str] = field(default_factory=list)
    conffiles: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    old_paths: list[str] = field(default_factory=list)
    """Programs under /bin and /sbin, as they were called before those became links."""
    interpreters: set[str] = field(default_factory=set)
    pkgconfig: list[str] = field(default_factory=list)


def run(command: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a program and return its output; what it says on stderr is in the error."""
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    result = subprocess.run(command, cwd=cwd, env=env, check=False, **quiet)
    if result.returncode:
        raise DistroError(f"{' '.join(command[:3])} ended with {result.returncode}: {result.stderr.strip()[-1000:]}")
    return str(result.stdout)


def _apt(work: Path) -> list[str]:
    status = work / "no-packages"
    status.touch()
    words = {
        "Dir::State::status": str(status),
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "root",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
    }
    return ["apt-get", "-q", *(x for key, value in words.items() for x in ("-o", f"{key}={value}"))]


def closure(work: Path, seeds: list[str]) -> list[tuple[str, str, str]]:
    """Return name, version and architecture of all that apt would install on an empty system for `seeds`."""
    try:
        text = run([*_apt(work), "-s", "install", *seeds])
    except DistroError as error:
        if os.geteuid() == 0 and not list(Path("/var/lib/apt/lists").glob("*Release")):
            run(["apt-get", "-q", "update"])
            return closure(work, seeds)
        raise DistroError(f"{error}\nDebian 12's package lists are needed: run `apt-get update`.") from error
    return sorted(set(re.findall(r"^Inst (\S+) \((\S+) .*\[(\w+)\]\)", text, re.MULTILINE)))


def download(work: Path, cache: Path, packages: list[tuple[str, str, str]]) -> list[Path]:
    """Fetch packages into `cache` by apt, those that are not there yet."""
    cache.mkdir(parents=True, exist_ok=True)
    paths = {f"{n}={v}": cache / f"{n}_{v.replace(':', '%3a')}_{a}.deb" for n, v, a in packages}
    missing = [package for package, path in paths.items() if not path.exists()]
    if missing:
        run([*_apt(work), "download", *missing], cwd=cache)
    lost = [package for package, path in paths.items() if not path.exists()]
    if lost:
        raise DistroError(f"apt-get download did not bring {', '.join(lost)}")
    return list(paths.values())


def read_deb(path: Path) -> Deb:
    """Read the control data of a .deb."""
    control = _control(run(["dpkg-deb", "-f", str(path)]))
    name, version = control["Package"], control["Version"]
    source = re.match(r"(\S+)(?: \((\S+)\))?", control.get("Source", name))
    assert source
    clauses = [c for key in ("Pre-Depends", "Depends") for c in re.split(r",\s*", control.get(key, "")) if c]
    return Deb(
        path=path,
        name=name,
        rpm=RENAME.get(name, name),
        evr=evr(version),
        source=source.group(1),
        source_evr=evr(source.group(2) or version),
        noarch=control["Architecture"] == "all",
        summary=control.get("Description", name).split("\n")[0] or name,
        url=control.get("Homepage", f"https://packages.debian.org/{name}"),
        size=int(control.get("Installed-Size", 0)),
        provided=[(name, version), *((d.name, d.version) for d in dependencies(control.get("Provides", "")))],
        depends=[dependencies(clause.replace("|", ",")) for clause in clauses],
    )


def _control(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if line[:1] in " \t":
            fields[key] += "\n" + line[1:]
        else:
            key, _, value = line.partition(":")
            fields[key] = value.strip()
    return fields


def dependencies(text: str) -> list[Dependency]:
    """Parse a comma-separated list of Debian dependencies."""
    pattern = re.compile(r"([^\s:(\[]+)(?::\w+)?\s*(?:\(\s*([<>=]+)\s*([^)\s]+)\s*\))?")
    found = [pattern.match(item.strip()) for item in text.split(",") if item.strip()]
    return [Dependency(*(word or "" for word in match.groups())) for match in found if match]


def evr(version: str) -> Evr:
    """Turn a Debian version into RPM's three parts."""
    epoch, _, rest = version.rpartition(":")
    upstream, _, revision = rest.rpartition("-")
    if not upstream:
        upstream, revision = revision, "0"
    return Evr(epoch, *(re.sub(r"[^A-Za-z0-9.+~_]", ".", part) for part in (upstream, revision)))


def evr_text(version: str) -> str:
    """Write a Debian version as RPM does in a dependency; without a revision there is no release."""
    parts = evr(version)
    return str(parts) if "-" in version.rpartition(":")[2] else str(parts).rpartition("-")[0]
