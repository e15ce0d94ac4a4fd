"""Repodata of a repo made without a builder, where createrepo tasks would leave it (contract 4.3, 6.1).

`repo_init` has made repos/TAG/ID/ with the lists of packages; here each ARCH/repodata/ is filled from them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from koji_adjutant.errors import HubError
from koji_adjutant.minihub import repo_merge


@dataclass(frozen=True)
class RepoPlan:
    """What a repo is made from: its directory, whether the tag has groups of its own, a file in their place, external repos."""

    repo_id: int
    directory: Path
    groups: bool
    urls: Sequence[str]
    comps: Path | None = None


def write_repo(plan: RepoPlan) -> None:
    """Make the repodata; raises HubError when an external repo or package cannot be used, leaving nothing behind."""
    try:
        comps = plan.directory / "groups" / "comps.xml"
        if plan.comps is not None:
            comps.write_bytes(_comps_bytes(plan.comps))
        # Without groups of the tag's own, those of the external repos stay.
        own = comps if plan.groups or plan.comps else None
        for target in sorted(plan.directory.glob("*/pkglist")):
            _write_arch(target.parent, plan, own)
    except BaseException:
        shutil.rmtree(plan.directory)
        raise


def _comps_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HubError(
            f"The groups file {path} cannot be read: {error.strerror}", resolution="Name a comps XML file."
        ) from error


def _write_arch(target: Path, plan: RepoPlan, comps: Path | None) -> None:
    repo_merge.local_repodata(target, comps)
    if not plan.urls:
        return
    premerge = target / f"repo_{plan.repo_id}_premerge"
    premerge.mkdir()
    (target / "repodata").rename(premerge / "repodata")
    merged = target / "merged"
    merged.mkdir()
    repo_merge.merge(plan.urls, merged, target.name, comps, premerge)
    (merged / "repodata").rename(target / "repodata")
    shutil.rmtree(merged)
    shutil.rmtree(premerge)
