"""Tools images of this daemon, made of the tags' own repos in the background (design section 6.1).

The first task of a repo goes on with the configured image. One file for each state of a repo says which image it gave,
or why it can give none; the images are kept and evicted beside the prepared ones.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from koji_adjutant.buildroot.bootstrap import REPOSITORY, RepoTools, ToolsKey
from koji_adjutant.container.interface import ContainerHandle, ImageInfo
from koji_adjutant.errors import AdjutantError
from koji_adjutant.tasks.prepared_images import PreparedImages

log = structlog.get_logger(__name__)

RETRY_SECONDS = 600.0
"""How long a failure that may pass (a network, a full disk) is remembered."""
RECORD_SECONDS = 30 * 86400.0
"""How long the record of a repo is kept after its last use."""


class NoTools(AdjutantError):
    """The repo cannot give tools, whoever tries: it lacks a package manager, or that does not run."""


@dataclass(frozen=True)
class FilledTools:
    """A container with tools in it, to be committed."""

    container: ContainerHandle
    key: ToolsKey
    remove: Callable[[], None]


Recipe = Callable[[], FilledTools]
"""Fills a container; raises NoTools, and what installing raises, with nothing left behind."""


@dataclass(frozen=True)
class _Kept:
    """The name of an image, for `PreparedImages.find`."""

    digest: str

    @property
    def reference(self) -> str:
        return f"{REPOSITORY}:{self.digest}"


class ToolsImages:
    """All methods are thread-safe: records are written by the one background thread, by rename."""

    def __init__(self, prepared: PreparedImages, directory: Path, clock: Callable[[], float] = time.time) -> None:
        self._prepared = prepared
        self._directory = directory
        self._clock = clock
        self._failed: dict[str, tuple[float, str]] = {}

    @property
    def enabled(self) -> bool:
        """Whether images can be made here at all."""
        return self._prepared.enabled

    def find(self, wanted: RepoTools) -> ImageInfo | None:
        """Return the image that this state of the repo gave and count it as used now, or None."""
        digest = self._record(wanted).get("image")
        return self._prepared.find(_Kept(digest)) if digest else None

    def refusal(self, wanted: RepoTools) -> str:
        """Say why this state of the repo gives no tools; empty: not known yet."""
        until, reason = self._failed.get(wanted.digest, (0.0, ""))
        return self._record(wanted).get("cannot") or (reason if self._clock() < until else "")

    def pending(self, wanted: RepoTools) -> bool:
        """Say whether they are being made, or about to be."""
        return self._prepared.pending(wanted.digest)

    def request(
        self, wanted: RepoTools, tag_name: str, recipe: Recipe, then: Callable[[ImageInfo | None], None]
    ) -> None:
        """Have tools made in the background, unless they are already; `then` gets them, or None. Returns at once."""

        def job() -> None:
            if self.find(wanted) is None and not self.refusal(wanted):
                self._make(wanted, tag_name, recipe)
            then(self.find(wanted))

        self._prepared.submit(wanted.digest, tag_name, job)

    def _make(self, wanted: RepoTools, tag_name: str, recipe: Recipe) -> None:
        began = self._clock()
        try:
            filled = recipe()
            try:
                if self._prepared.find(filled.key) is None:
                    self._prepared.keep(filled.key, filled.container, filled.key.labels(tag_name))
            finally:
                filled.remove()
        except NoTools as error:
            self._write(wanted, {"cannot": str(error)})
            log.info("tools.not_in_repo", tag=tag_name, arch=wanted.arch, reason=str(error))
        except (AdjutantError, OSError) as error:
            self._failed[wanted.digest] = (self._clock() + RETRY_SECONDS, str(error))
            log.warning("tools.failed", tag=tag_name, arch=wanted.arch, error=str(error))
        else:
            self._write(wanted, {"image": filled.key.digest})
            seconds = round(self._clock() - began, 1)
            log.info("tools.made", tag=tag_name, arch=wanted.arch, image=filled.key.reference, seconds=seconds)

    def _record(self, wanted: RepoTools) -> dict[str, str]:
        path = self._directory / wanted.digest
        try:
            record: dict[str, str] = json.loads(path.read_bytes())
            path.touch()
        except (OSError, ValueError):
            return {}
        return record

    def _write(self, wanted: RepoTools, record: dict[str, str]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        new = self._directory / f"{wanted.digest}.new"
        new.write_text(json.dumps(record))
        new.replace(self._directory / wanted.digest)
        for old in self._directory.iterdir():
            if self._clock() - old.stat().st_mtime > RECORD_SECONDS:
                old.unlink(missing_ok=True)
