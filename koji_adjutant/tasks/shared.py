"""What all tasks of one daemon share: static programs, the package cache, prepared images, facts about tools images."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from koji_adjutant.buildroot.contents import InstalledRpm
from koji_adjutant.buildroot.repo_proxy import PackageCache
from koji_adjutant.buildroot.root import ToolsFacts
from koji_adjutant.container.interface import ImageKeeper, PullPolicy
from koji_adjutant.container.static_tools import static_directory
from koji_adjutant.deep_trees import remove_tree
from koji_adjutant.errors import ImageError
from koji_adjutant.tasks.prepared_images import PreparedImages
from koji_adjutant.tasks.tools_images import ToolsImages

if TYPE_CHECKING:
    from koji_adjutant.config.kojid_options import KojidOptions
    from koji_adjutant.config.model import AdjutantConfig

Value = TypeVar("Value")
MEMO_SIZE = 64
HARDWARE_SECONDS = 600.0
PACKAGE_CACHE_BYTES = 20 << 30
"""Upper bound of the packages kept on disk for all tasks; the least recently used go first."""


@dataclass
class SharedServices:
    """Made once by the daemon. Thread-safe."""

    static_dir: Path
    package_cache: PackageCache
    prepared: PreparedImages
    tools_images: ToolsImages
    runtime_version: str = ""
    tools: Memo[ToolsFacts] = field(default_factory=lambda: Memo(math.inf))
    """Facts of tools images by digest."""
    contents: Memo[tuple[InstalledRpm, ...]] = field(default_factory=lambda: Memo(math.inf))
    """What prepared images hold, by digest: an image of one digest never changes."""
    hardware: Memo[str] = field(default_factory=lambda: Memo(HARDWARE_SECONDS))
    """Text of hw_info.log: the machine is the same for all tasks."""

    @classmethod
    def create(cls, options: KojidOptions, config: AdjutantConfig, runtime: ImageKeeper) -> SharedServices:
        """Put the services together and make the empty image that roots start from.

        Raises:
            ConfigurationError: the static programs are missing.
            ContainerError: the empty image cannot be made.
        """
        health = runtime.health_check()
        if "commit" in health.capabilities:
            ensure_empty_image(runtime, config.empty_image)
        state_dir = Path(config.state_dir)
        # What a dead daemon was filling; its containers are the sweep's.
        with suppress(OSError):
            remove_tree(state_dir / "prepare")
        prepared = PreparedImages(
            runtime,
            state_dir / "prepared",
            max_bytes=config.images.prepared.max_bytes,
            max_age=config.images.prepared.max_age,
            enabled=config.images.prepared.enabled and "commit" in health.capabilities,
        )
        return cls(
            static_dir=static_directory(config.static_dir),
            package_cache=PackageCache(state_dir / "packages", PACKAGE_CACHE_BYTES, minspace=options.minspace << 20),
            prepared=prepared,
            tools_images=ToolsImages(prepared, state_dir / "tools"),
            runtime_version=f"{health.runtime} {health.version}",
        )


class Memo(Generic[Value]):
    """Answers that stay true for a while, asked once. At most `MEMO_SIZE`, the oldest goes first. Thread-safe."""

    def __init__(self, lifetime: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lifetime = lifetime
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Value]] = {}

    def get(self, key: str, ask: Callable[[], Value]) -> Value:
        """Return the answer for `key`; two threads that ask at once may both be answered anew."""
        with self._lock:
            known = self._known.get(key)
        if known is not None and self._clock() < known[0]:
            return known[1]
        value = ask()
        with self._lock:
            self._known[key] = (self._clock() + self._lifetime, value)
            while len(self._known) > MEMO_SIZE:
                del self._known[next(iter(self._known))]
        return value


def ensure_empty_image(runtime: ImageKeeper, reference: str) -> None:
    """Make the image without content that a cold root starts from, if it is not there."""
    try:
        runtime.ensure_image_available(reference, PullPolicy.NEVER)
    except ImageError as error:
        if error.reason != "missing":
            raise
        runtime.make_image(reference, {}, {"io.koji.adjutant.empty": "true"})
