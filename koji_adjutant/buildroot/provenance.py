"""Where each installed rpm came from: the list that a hub records for a buildroot (contract 4.0.5, 7.2).

The hub refuses a root that holds an rpm it does not know. Internal rpms are named by their id, external ones by the
repository they came from; what neither says is left to the hub's own lookup, which fails and names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from koji_adjutant.buildroot.contents import InstalledRpm, counted
from koji_adjutant.buildroot.faults import BuildFault, BuildrootFault
from koji_adjutant.buildroot.repo_files import RepoRpm


@dataclass(frozen=True)
class Provenance:
    """What repository and hub say about the packages of a root. Fetched once per task."""

    br_arch: str
    repo_id: int
    rpmlist: Mapping[str, RepoRpm]
    """From rpmlist.jsonl; of a repository without one (404) the draft rpms of the tag, as the hub lists them."""
    externals: Sequence[Mapping[str, Any]] = ()
    """`getExternalRepoList` of the tag at the repository's event; empty: all packages are Koji's."""
    origins: Mapping[str, str] | None = None
    """From pkgorigins; only read where there are `externals`."""
    drafts_only: bool = False
    """`rpmlist` holds draft rpms only: a package that is not in it is nothing strange."""


def buildroot_list(
    installed: Iterable[InstalledRpm], provenance: Provenance
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the entries for `setBuildRootList` or `updateBuildRootList`, and warnings for the log.

    Raises:
        BuildFault: "No origin for NVRA", "Unknown origin for NVRA: URL".
        BuildrootFault: the hash of a package is not the one Koji knows.
    """
    by_url = {row["url"].replace("$arch", provenance.br_arch): row for row in provenance.externals}
    entries = []
    warnings = []
    for rpm in counted(installed):
        entry = _entry(rpm)
        external = _external(rpm, provenance, by_url) if by_url else None
        if external is not None:
            entry["external_repo"] = dict(external)
            entry["location"] = external["external_repo_id"]
        elif (known := provenance.rpmlist.get(rpm.nvra)) is not None:
            entry["id"] = _checked_id(rpm, known)
        elif not provenance.drafts_only:
            warnings.append(f"{rpm.nvra} not found in rpmlist.jsonl")
        entries.append(entry)
    return entries, tuple(warnings)


def _entry(rpm: InstalledRpm) -> dict[str, Any]:
    return {
        "name": rpm.name,
        "version": rpm.version,
        "release": rpm.release,
        "epoch": rpm.epoch,
        "arch": rpm.arch,
        "payloadhash": rpm.payloadhash,
        "size": rpm.size,
        "buildtime": rpm.buildtime,
    }


def _external(
    rpm: InstalledRpm, provenance: Provenance, by_url: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    url = (provenance.origins or {}).get(rpm.nvra)
    if not url:
        raise BuildFault(f"No origin for {rpm.nvra}")
    if url in by_url:
        return by_url[url]
    # A merge starts from the hub's own repository in the work directory of its task.
    if url.startswith("file://") and url.endswith(f"/repo_{provenance.repo_id}_premerge/"):
        return None
    raise BuildFault(f"Unknown origin for {rpm.nvra}: {url}")


def _checked_id(rpm: InstalledRpm, known: RepoRpm) -> int:
    if known.payloadhash != rpm.payloadhash:
        raise BuildrootFault(
            f"RPM: {rpm.nvra}: payloadhash: {rpm.payloadhash} mismatch expected {known.payloadhash} in rpmlist.jsonl"
        )
    return known.id
