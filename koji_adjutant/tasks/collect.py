"""Taking what a build has made: files are listed, checked and read one by one (design sections 4 and 7).

Nothing of the build is unpacked or parsed here; names and sizes are hostile input. What kojid would find in mock's result
directory is what is taken: `*.rpm` of RPMS and SRPMS, flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import koji

from koji_adjutant.buildroot.commands import BUILDREQS_SUFFIX, RPMS, SRPMS
from koji_adjutant.buildroot.root import Root
from koji_adjutant.container.interface import ContainerHandle, ContainerManager
from koji_adjutant.errors import ContainerError, CopyError
from koji_adjutant.hub.artifacts import ArtifactStore, valid_artifact_name

LEAD_MAGIC = b"\xed\xab\xee\xdb"
MAX_FILES = 20_000


@dataclass(frozen=True)
class BuiltFiles:
    """What stands in the result directories of a root; names are checked."""

    rpms: tuple[str, ...]
    srpms: tuple[str, ...]
    unexpected: tuple[str, ...] = ()
    """Names that are no result: logged, never taken."""

    @property
    def noarch(self) -> tuple[str, ...]:
        return tuple(name for name in self.rpms if name.endswith(".noarch.rpm"))


def list_results(root: Root) -> BuiltFiles:
    """List what the build has written, in the order of names."""
    rpms: list[str] = []
    srpms: list[str] = []
    unexpected: list[str] = []
    for directory in (RPMS, SRPMS):
        for entry in root.list_files(directory, max_entries=MAX_FILES):
            if entry.name.endswith(BUILDREQS_SUFFIX):
                continue
            if not entry.is_regular or not entry.name.endswith(".rpm") or not valid_artifact_name(entry.name):
                unexpected.append(entry.name)
            elif entry.name.endswith(".src.rpm"):
                srpms.append(entry.name)
            else:
                # A nosrc.rpm counts as binary, as under kojid (contract 4.0.7).
                rpms.append(entry.name)
    return BuiltFiles(tuple(sorted(rpms)), tuple(sorted(srpms)), tuple(sorted(unexpected)))


class Collector:
    """Brings the files of one task from its root to the hub, one at a time, so that one copy is on disk at most."""

    def __init__(self, root: Root, store: ArtifactStore, directory: Path, max_bytes: int) -> None:
        self._root = root
        self._store = store
        self._directory = directory
        self._max_bytes = max_bytes

    def take(self, source_directory: str, names: Sequence[str]) -> list[str]:
        """Upload files; return their paths below work/. Repeating replaces what is there.

        Raises:
            koji.BuildError: a file is too large, or is not an rpm.
        """
        return [self._take(source_directory, name) for name in names]

    def fetch(self, source_directory: str, name: str) -> Path:
        """Copy one rpm to the task's directory on this machine; the caller removes it."""
        self._directory.mkdir(exist_ok=True)
        local = self._directory / name
        try:
            with local.open("wb") as stream:
                self._root.copy_from(f"{source_directory}/{name}", stream, max_bytes=self._max_bytes)
        except CopyError as error:
            if error.reason in {"too-large", "not-regular"}:
                raise koji.BuildError(str(error)) from error
            raise
        with local.open("rb") as stream:
            if stream.read(4) != LEAD_MAGIC:
                raise koji.BuildError(f"{name} is not an rpm: it does not begin with an rpm's lead")
        return local

    def _take(self, source_directory: str, name: str) -> str:
        local = self.fetch(source_directory, name)
        try:
            return self._store.put(local, name)
        finally:
            local.unlink(missing_ok=True)


def copy_optional(manager: ContainerManager, where: ContainerHandle, source: str, max_bytes: int) -> bytes:
    """Return the content of a small file that may be missing; b"" if it is missing, too large or no file."""
    buffer = BytesIO()
    try:
        manager.copy_from(where, source, buffer, max_bytes=max_bytes)
    except CopyError:
        return b""
    except ContainerError as error:
        if error.retryable:
            raise
        return b""
    return buffer.getvalue()
