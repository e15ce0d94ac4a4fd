"""Command lines of createrepo_c and mergerepo_c, as kojid builds them (contract 4.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

CREATEREPO = "/usr/bin/createrepo_c"
MERGEREPO = "/usr/bin/mergerepo_c"
SIMPLE_SINCE = (0, 13, 0)
"""First mergerepo_c with `--simple`."""
ARCH_EXPAND_SINCE = (0, 15, 11)
"""First mergerepo_c with `--arch-expand`."""

Version = tuple[int, int, int]


@dataclass(frozen=True)
class LocalRepo:
    """One run of createrepo_c over `directory`; all paths are the container's."""

    directory: str
    pkglist: str | None = None
    output: str | None = None
    """None: into `directory` itself."""
    groups: str | None = None
    update: bool = False
    """Reuse the repodata that stands in the output."""
    skip_stat: bool = False
    zck: bool = False
    zck_dict_dir: str | None = None


@dataclass(frozen=True)
class Merge:
    """One run of mergerepo_c; `repos` in the order of their precedence."""

    mode: str
    arch: str
    repos: Sequence[str]
    output: str
    blocklist: str
    groups: str | None = None


def createrepo_command(repo: LocalRepo) -> list[str]:
    """Return the argv of createrepo_c."""
    output = [] if repo.output is None else ["-o", repo.output]
    pkglist = [] if repo.pkglist is None else ["-i", repo.pkglist]
    groups = [] if repo.groups is None else ["-g", repo.groups]
    update = ["--update", *(["--skip-stat"] if repo.skip_stat else [])] if repo.update else []
    zck = ["--zck"] if repo.zck else []
    zck_dicts = [] if repo.zck_dict_dir is None else ["--zck-dict-dir", repo.zck_dict_dir]
    return [
        *(CREATEREPO, "--error-exit-val", "-vd"),
        *(*output, *pkglist, *groups, *update, *zck, *zck_dicts),
        repo.directory,
    ]


def mergerepo_command(merge: Merge, version: Version | None) -> list[str]:
    """Return the argv of mergerepo_c of that version (None: it did not say).

    Raises:
        ValueError: kojid's words for a mergerepo_c that cannot merge in this mode.
    """
    argv = [MERGEREPO, *_mode_options(merge.mode, version)]
    if merge.mode != "bare":
        argv += ["-b", merge.blocklist]
    argv += ["-a", merge.arch, "-o", merge.output]
    if version is not None and version >= ARCH_EXPAND_SINCE:
        argv.append("--arch-expand")
    if merge.groups is not None:
        argv += ["-g", merge.groups]
    for repo in merge.repos:
        argv += ["-r", repo]
    return argv


def _mode_options(mode: str, version: Version | None) -> list[str]:
    if mode == "bare":
        return ["--pkgorigins", "--all"]
    if mode != "simple":
        return ["--koji"]
    if version is None or version < SIMPLE_SINCE:
        found = ".".join(str(number) for number in version or (None,))
        raise ValueError(f"mergerepo_c is not installed or has low version: {found} (0.13.0 needed for --simple)")
    return ["--koji", "--simple"]


def parse_version(output: bytes) -> Version | None:
    """Read `mergerepo_c --version` ("Version: 0.15.11 (Features: ...)"); None if it says something else."""
    match = re.match(rb"Version: (\d+)\.(\d+)\.(\d+)", output.strip())
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))
