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
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700, parents=True)
            try:
                shutil.copytree(self.original, fresh / _SHOWN, ignore=_no_files)
            except (OSError, shutil.Error) as error:
                raise ConfigurationError(
                    f"scm_credentials_dir {self.original} cannot be copied for a checkout", details=str(error)
                ) from error
            _open(fresh / _SHOWN)
            fresh.rename(self.directory)
        return frozenset(str(path.relative_to(self._shown)) for path in self._shown.rglob("*") if path.is_file())

    def remove(self) -> None:
        """Remove the copy; safe to repeat. Its container is gone by then."""
        for directory in (self.directory, self.directory.with_name(f"{self.directory.name}.new")):
            if directory.exists():
                shutil.rmtree(directory)

    @property
    def _shown(self) -> Path:
        return self.directory / _SHOWN


def _open(top: Path) -> None:
    """Let everybody in the container read it."""
    for directory, _, names in os.walk(top):
        Path(directory).chmod(0o755)
        for name in names:
            Path(directory, name).chmod(0o644)


def _no_files(directory: str, names: list[str]) -> set[str]:
    """Sockets of agents, links to nothing: no credentials."""
    return {
        name for name in names if not os.path.isfile(path := os.path.join(directory, name)) and not os.path.isdir(path)
    }
