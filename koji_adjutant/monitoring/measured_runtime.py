"""A container runtime whose starts and failures are counted: a wrapper, so that the runtimes need not know of it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, cast

from koji_adjutant.container.interface import ContainerHandle, ImageKeeper
from koji_adjutant.errors import ContainerError
from koji_adjutant.metrics import CONTAINER_FAILURES, CONTAINER_START_SECONDS

MEASURED = frozenset({"ensure_image_available", "create", "start", "exec", "copy_to", "copy_from", "commit", "remove"})
"""Operations whose failures are counted. The rest asks only."""


class MeasuredRuntime:
    """Passes everything on to `inner`. Thread-safe as that is."""

    def __init__(self, inner: ImageKeeper, clock: Callable[[], float] = time.monotonic) -> None:
        self._inner = inner
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return _counted(name, found) if name in MEASURED else found

    def start(self, handle: ContainerHandle, timeout: float = 60.0) -> None:
        """See `ContainerManager.start`."""
        began = self._clock()
        _counted("start", self._inner.start)(handle, timeout)
        CONTAINER_START_SECONDS.observe(self._clock() - began)


def measured(inner: ImageKeeper) -> ImageKeeper:
    """Wrap a runtime."""
    return cast("ImageKeeper", MeasuredRuntime(inner))


def _counted(operation: str, act: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(act)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return act(*args, **options)
        except ContainerError as error:
            CONTAINER_FAILURES.labels(operation, error.reason or type(error).__name__).inc()
            raise

    return call
