"""The test distribution, made: debs fetched and converted, own packages built, a repository with comps made of all."""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tests.distro.adjust import adjust
from tests.distro.cache import HERE, cache_dir, hash_of, made_once
from tests.distro.catalog import DROP, EPOCH, GROUPS, RELEASEVER, RENAME, SEEDS
from tests.distro.debian import Deb, DistroError, closure, download, read_deb
from tests.distro.resolve import resolve
from tests.distro.rpmbuild import rpmbuild
from tests.distro.specfile import spec_for
from tests.distro.unpack import filesystem_paths, unpack

PROGRAMS = ("apt-get", "dpkg-deb", "rpmbuild", "createrepo_c")
_SOURCES = ("adjust", "catalog", "debian", "make", "resolve", "rpmbuild", "specfile", "unpack")
_COMPS_HEAD = '<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">'


@dataclass(frozen=True)
class Distro:
    """A test distribution on disk; nobody may write there."""

    root: Path
    releasever: str = RELEASEVER
    build_group: str = "build"
    srpm_group: str = "srpm-build"
    minimal_group: str = "build-minimal"
    oddities_group: str = "oddities"
    tools_group: str = "tools"

    @property
    def repo(self) -> Path:
        """The yum repository, with repodata and comps."""
        return self.root / "repo"

    @property
    def srpms(self) -> Path:
        """A source package (spec only) for every source."""
        return self.root / "SRPMS"

    @property
    def comps(self) -> Path:
        """The groups as a file."""
        return self.root / "comps.xml"

    @property
    def digest(self) -> str:
        """The hash of its makers."""
        return self.root.name.rpartition("-")[2]


def the_distro() -> Distro:
    """Return the distribution of this checkout, made when missing (40 s, then at once).

    Raises:
        DistroError: this machine cannot make one.
    """
    digest = hash_of([*(HERE / f"{name}.py" for name in _SOURCES), *(HERE / "own").iterdir()])
    return Distro(made_once("distro", digest, make_distro))


def make_distro(out: Path, extra: Sequence[str] = (), group: str = "extra") -> None:
    """Make the distribution in the empty directory `out`, with the Debian packages `extra`, which `group` installs."""
    seeds = [*SEEDS, *extra]
    groups = {
        **GROUPS,
        **({group: [*GROUPS["build-minimal"], *(RENAME.get(each, each) for each in extra)]} if extra else {}),
    }
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        raise DistroError(f"{', '.join(missing)} not installed: `make setup` installs what the tests need")
    work, packages = out / "work", out / "repo" / "Packages"
    for path in (work / "specs", work / "stage", packages, out / "SRPMS"):
        path.mkdir(parents=True)
    jobs = os.cpu_count() or 1
    with ProcessPoolExecutor(jobs) as pool:
        own = [pool.submit(rpmbuild, "-ba", spec, work, packages, out / "SRPMS") for spec in _own_specs()]
        wanted = [package for package in closure(work, seeds) if package[0] not in DROP]
        with ThreadPoolExecutor(jobs) as readers:
            debs = resolve(readers.map(read_deb, download(work, cache_dir() / "debs", wanted)), seeds)
        tasks = own + [pool.submit(_convert, source, group, out) for source, group in _by_source(debs)]
        for task in tasks:
            task.result()
    (out / "comps.xml").write_text(comps(groups))
    _createrepo(out, jobs)
    shutil.rmtree(work)


def _own_specs() -> list[Path]:
    return sorted((HERE / "own").glob("*.spec"))


def _by_source(debs: list[Deb]) -> list[tuple[str, list[Deb]]]:
    """Group by source, the biggest first: they take longest."""
    sources: dict[str, list[Deb]] = collections.defaultdict(list)
    for deb in debs:
        sources[deb.source].append(deb)
    return sorted(sources.items(), key=lambda item: -sum(deb.size for deb in item[1]))


def _convert(source: str, debs: list[Deb], out: Path) -> None:
    stage = out / "work" / "stage" / source
    stage.mkdir()
    elsewhere = filesystem_paths(HERE / "own" / "filesystem.spec")
    for deb in debs:
        unpack(deb, stage, elsewhere)
        adjust(deb, stage)
    spec = out / "work" / "specs" / f"{source}.spec"
    spec.write_text(spec_for(source, debs))
    rpmbuild("-ba", spec, out / "work", out / "repo" / "Packages", out / "SRPMS", {"stage": str(stage)})
    shutil.rmtree(stage)


def comps(groups: Mapping[str, Sequence[str]]) -> str:
    """Write the groups as comps.xml."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', _COMPS_HEAD, "<comps>"]
    for name, members in groups.items():
        lines += [f"<group><id>{name}</id><name>{name}</name><description>{name}</description>"]
        lines += ["<default>false</default><uservisible>true</uservisible><packagelist>"]
        lines += [f'<packagereq type="mandatory">{escape(member)}</packagereq>' for member in members]
        lines += ["</packagelist></group>"]
    return "\n".join([*lines, "</comps>", ""])


def _createrepo(out: Path, jobs: int) -> None:
    """Write repodata that is the same for the same packages."""
    for package in (out / "repo" / "Packages").iterdir():
        os.utime(package, (EPOCH, EPOCH))
    command = [
        "createrepo_c",
        "-q",
        "--no-database",
        "--workers",
        str(jobs),
        "--revision",
        str(EPOCH),
        "--set-timestamp-to-revision",
    ]
    subprocess.run([*command, "-g", str(out / "comps.xml"), str(out / "repo")], check=True)
