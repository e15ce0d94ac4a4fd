"""Images of a cluster. Its store is the nodes': whether an image can be had is learnt by a pod that takes it.

A pod of the image runs our static program for a moment; its status has the digest. The answer is remembered for a while, so
that a task costs nothing more.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from koji_adjutant.container.interface import (
    LABEL_ROLE,
    ContainerHandle,
    ContainerRunResult,
    ContainerSpec,
    ImageInfo,
    PullPolicy,
)
from koji_adjutant.container.kubernetes_companions import BUSYBOX
from koji_adjutant.container.kubernetes_scheduling import ARCHES
from koji_adjutant.container.kubernetes_state import image_digest, image_error
from koji_adjutant.container.step_reader import RUNNER

REMEMBERED = 600.0
"""Seconds for which an image that was there is taken to be there, unless its name holds a digest."""
PROBE_ROLE = "probe"
_POLICIES = {PullPolicy.ALWAYS: "Always", PullPolicy.MISSING: "IfNotPresent", PullPolicy.NEVER: "Never"}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Probe:
    """What a pod for a moment can be asked. `start` makes it run, with a pull policy for its image."""

    start: Callable[[ContainerSpec, str], ContainerHandle]
    pod: Callable[[ContainerHandle], Mapping[str, Any]]
    run: Callable[[ContainerHandle, list[str]], ContainerRunResult]
    remove: Callable[[ContainerHandle], None]


class PodImages:
    """Looks for images. Thread-safe; one image is looked for by one thread at a time."""

    def __init__(self, probe: Probe, labels: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._probe = probe
        self._labels = {**labels, LABEL_ROLE: PROBE_ROLE}
        self._clock = clock
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}
        self._known: dict[str, tuple[ImageInfo, float]] = {}

    def ensure(self, image: str, policy: PullPolicy) -> ImageInfo:
        """See `ContainerManager.ensure_image_available`."""
        with self._lock:
            busy = self._busy.setdefault(image, threading.Lock())
        with busy:
            known = self._recall(image)
            if known is not None and policy is not PullPolicy.ALWAYS:
                return known
            found = self._look(image, policy)
            with self._lock:
                self._known[image] = (found, self._clock())
            return found

    def require(self, image: str) -> None:
        """Return if the image was found before, or is on a node. Raises `ImageError` as `ensure` does."""
        self.ensure(image, PullPolicy.NEVER)

    def _recall(self, image: str) -> ImageInfo | None:
        with self._lock:
            info, when = self._known.get(image, (None, 0.0))
        return info if "@sha256:" in image or self._clock() - when < REMEMBERED else None

    def _look(self, image: str, policy: PullPolicy) -> ImageInfo:
        name = f"image-{secrets.token_hex(5)}"
        spec = ContainerSpec(name=name, image=image, command=(RUNNER, "pause"), labels=self._labels, init=False)
        handle: ContainerHandle | None = None
        try:
            handle = self._probe.start(spec, _POLICIES[policy])
            pod = self._probe.pod(handle)
            machine = self._probe.run(handle, [BUSYBOX, "uname", "-m"]).stdout.decode("ascii", "replace").strip()
        finally:
            if handle is not None:
                self._probe.remove(handle)
        digest = image_digest(pod, "task")
        if not digest:
            raise image_error(image, "no digest", "the kubelet does not say which image the pod ran in")
        _log.info("image.found", image=image, digest=digest)
        return ImageInfo(image, digest, digest, ARCHES.get(machine, machine))
