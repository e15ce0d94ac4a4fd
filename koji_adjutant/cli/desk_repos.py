"""What the repositories of a build say of themselves: repomd.xml, whose checksum tells changes, and their groups."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from koji_adjutant.buildroot.faults import RootFault
from koji_adjutant.buildroot.repo_files import RepomdRecord, decompress, parse_repomd
from koji_adjutant.cli.desk_groups import Groups, parse_comps
from koji_adjutant.errors import HubError
from koji_adjutant.hub.downloads import download

REPOMD_BYTES = 1 << 22
GROUPS_BYTES = 1 << 28
GROUP_TYPES = ("group", "group_gz", "group_xz", "group_bz2")
"""Types of records in repomd.xml that hold comps, plain first."""


@dataclass(frozen=True)
class UpstreamRepo:
    """A repository as it is now."""

    location: str
    repomd: bytes

    @property
    def repomd_sha256(self) -> str:
        return hashlib.sha256(self.repomd).hexdigest()


def look_at(location: str) -> UpstreamRepo:
    """Read repomd.xml.

    Raises:
        HubError: the repository does not answer, or is none.
    """
    repo = UpstreamRepo(location, _read(location, "repodata/repomd.xml", REPOMD_BYTES))
    _records(repo)
    return repo


def groups_of(repo: UpstreamRepo) -> Groups:
    """Return the groups of a repository; none if it has no comps.

    Raises:
        HubError: its comps cannot be read.
        UsageError: they are no comps.
    """
    records = _records(repo)
    hrefs = [records[kind].href for kind in GROUP_TYPES if kind in records]
    if not hrefs:
        return {}
    data = _read(repo.location, hrefs[0], GROUPS_BYTES)
    try:
        comps = decompress(hrefs[0], data, GROUPS_BYTES)
    except RootFault as error:
        raise HubError(
            f"the groups of {repo.location} cannot be read: {error.brief}",
            resolution="Give --group FILE with a comps file.",
        ) from error
    return parse_comps(comps, f"{repo.location.rstrip('/')}/{hrefs[0]}")


def _records(repo: UpstreamRepo) -> Mapping[str, RepomdRecord]:
    try:
        return parse_repomd(repo.repomd)
    except RootFault as error:
        raise HubError(
            f"{repo.location} is no yum repository: {error.brief}",
            resolution="Give the directory that holds repodata/; a login page or a proxy may have answered.",
        ) from error


def _read(location: str, relative: str, max_bytes: int) -> bytes:
    if location.startswith("/"):
        return _read_file(Path(location) / relative, max_bytes)
    with tempfile.TemporaryDirectory(prefix="koji-adjutant-") as scratch:
        target = Path(scratch) / "file"
        download(f"{location.rstrip('/')}/{relative}", target, max_bytes=max_bytes)
        return target.read_bytes()


def _read_file(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(max_bytes)
    except OSError as error:
        raise HubError(f"{path} cannot be read: {error.strerror}") from error
