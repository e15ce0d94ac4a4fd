"""Prepared images: a root after its install group, kept for the next task of the same repository (design section 6.3).

Here stand the pure parts: the key, the names and labels, which images to drop. Making them, one at a time, is
`tasks.prepared_images`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass

from koji_adjutant.buildroot.settings import RootSettings

FORMAT = 1
"""Raised when a root of an older version of this project would not do any more."""
REPOSITORY = "localhost/koji-adjutant/prepared"

LABEL_PREPARED = "io.koji.adjutant.prepared"
"""The key's digest."""
LABEL_FORMAT = "io.koji.adjutant.prepared-format"
LABEL_TAG = "io.koji.adjutant.prepared-tag"
LABEL_REPO = "io.koji.adjutant.prepared-repo"


@dataclass(frozen=True)
class PreparedKey:
    """Everything that decides what the root holds after the base install."""

    topurl: str
    repo_id: int
    repomd_sha256: str
    tools_digest: str
    arch: str
    personality: str | None
    group: str
    install: str
    """`install_settings` of the tag."""
    format: int = FORMAT

    @property
    def digest(self) -> str:
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def reference(self) -> str:
        """The image's name."""
        return f"{REPOSITORY}:{self.digest}"

    def labels(self, tag_name: str) -> dict[str, str]:
        """Return the image's labels; tag and repository are for people."""
        return {
            LABEL_PREPARED: self.digest,
            LABEL_FORMAT: str(self.format),
            LABEL_TAG: tag_name,
            LABEL_REPO: str(self.repo_id),
        }


def install_settings(settings: RootSettings, package_manager: str, userns: bool) -> str:
    """Return what else changes a base install, as text for the key.

    The environment is in it: scriptlets see it. The user namespace too: file owners on disk differ with and without.
    """
    parts = {
        "target": settings.target_arch,
        "forcearch": settings.forcearch,
        "releasever": settings.releasever,
        "modules": settings.module_setup_commands,
        "hotfixes": settings.module_hotfixes,
        "best": settings.best,
        "env": dict(settings.env),
        "manager": package_manager,
        "userns": userns,
    }
    return json.dumps(parts, sort_keys=True)


@dataclass(frozen=True)
class PreparedImage:
    """A prepared image in the runtime's store. Times are unix times."""

    reference: str
    size_bytes: int
    created_at: float
    last_used_at: float
    in_use: bool = False
    """A container runs from it."""
    hits: int = 0
    """How many roots began with it."""
    tag: str = ""
    repo_id: str = ""
    """For people; empty for what is not a root (tools of a repo)."""


def to_evict(
    images: Iterable[PreparedImage],
    *,
    now: float,
    max_bytes: int,
    max_age: float,
    starting: Collection[str] = (),
) -> list[PreparedImage]:
    """Return the images to remove: unused for longer than `max_age`, then the longest unused until the rest fits.

    References in `starting` are about to be used by a task and are left alone, as are images in use; both count.
    """
    everything = sorted(images, key=lambda image: (image.last_used_at, image.created_at, image.reference))
    held = {image.reference for image in everything if image.in_use} | set(starting)
    total = sum(image.size_bytes for image in everything)
    evicted = []
    for image in everything:
        too_old = now - image.last_used_at > max_age
        if image.reference not in held and (too_old or total > max_bytes):
            evicted.append(image)
            total -= image.size_bytes
    return evicted
