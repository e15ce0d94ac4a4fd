"""The operator's `scm_credentials_dir` for one container: a copy that its user namespace can read, gone when it ends.

Owners and modes of the original (root, 0600) mean nobody in a user namespace. The copy is open to all within the container
and to nobody else: the directory around it is this process's own.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from koji_adjutant.container.interface import VolumeMount
from koji_adjutant.deep_trees import remove_tree, walk
from koji_adjutant.errors import ConfigurationError
from koji_adjutant.scm.environment import CREDENTIALS

_SHOWN = "shown"


@dataclass(frozen=True)
class Credentials:
    """A copy below `directory`; `original` None where the operator gives none."""

    directory: Path
    original: str | None

    @property
    def given(self) -> bool:
        """Whether there are any: as with kojid, a path that is no directory means none."""
        return self.original is not None and os.path.isdir(self.original)

    @property
    def mounts(self) -> tuple[VolumeMount, ...]:
        return (VolumeMount(CREDENTIALS, str(self._shown)),) if self.given else ()

    def copy(self) -> frozenset[str]:
        """Make the copy, unless it is there: a container may have it mounted. Return its files, by their path in it.

        Raises:
            ConfigurationError: it cannot be read.
        """
        if self.original is None or not self.given:
            return frozenset()
        if not self.directory.exists():
            fresh = self.directory.with_name(f"{self.directory.name}.new")
            remove_tree(fresh)
            fresh.mkdir(mode=0o700, parents=True)
            try:
                _copy_open(Path(self.original), fresh / _SHOWN)
            except OSError as error:
                raise ConfigurationError(
                    f"scm_credentials_dir {self.original} cannot be copied for a checkout", details=str(error)
                ) from error
            fresh.rename(self.directory)
        shown = self._shown
        return frozenset(str((place / name).relative_to(shown)) for place, _, names in walk(shown) for name in names)

    def remove(self) -> None:
        """Remove the copy; safe to repeat. Its container is gone by then."""
        for directory in (self.directory, self.directory.with_name(f"{self.directory.name}.new")):
            remove_tree(directory)

    @property
    def _shown(self) -> Path:
        return self.directory / _SHOWN


def _copy_open(original: Path, target: Path) -> None:
    """Copy a tree, links followed, for everybody in the container to read.

    Not sockets of agents, links to nothing and the like: no credentials. A directory of its own tree's directories is not
    entered again.
    """
    waiting: list[tuple[str, str, frozenset[tuple[int, int]]]] = [(str(original), str(target), frozenset())]
    while waiting:
        source, copy, above = waiting.pop()
        status = os.stat(source)
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            continue
        Path(copy).mkdir()
        Path(copy).chmod(0o755)
        with os.scandir(source) as entries:
            for entry in entries:
                if entry.is_dir():
                    waiting.append((entry.path, f"{copy}/{entry.name}", above | {identity}))
                elif entry.is_file():
                    shutil.copy2(entry.path, f"{copy}/{entry.name}")
                    Path(f"{copy}/{entry.name}").chmod(0o644)
