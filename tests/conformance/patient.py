"""A caller that repeats what may be repeated: what the rest of the project does around a runtime that fails at times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from koji_adjutant.container.interface import ContainerHandle, ContainerStatus
from koji_adjutant.errors import ContainerLost, CopyError, ExecError, RuntimeUnavailable

ATTEMPTS = 60
_PASSING = {"unknown-end", "broken-stream"}


class Counter:
    """Takes a stream and keeps only its length; a repeated attempt starts from nothing."""

    def __init__(self) -> None:
        self.size = 0
        self.longest = 0

    def __call__(self, data: bytes) -> None:
        self.size += len(data)
        self.longest = max(self.longest, len(data))

    def reset(self) -> None:
        self.size = 0


class Gathered:
    """Takes a stream whole; a repeated attempt starts from nothing."""

    def __init__(self) -> None:
        self.data = bytearray()

    def __call__(self, data: bytes) -> None:
        self.data += data

    def reset(self) -> None:
        self.data.clear()


class Patient:
    """Passes every call on to `inner` and repeats it while the failure says that it may pass."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)
        if not callable(method):
            return method
        if name == "start":
            return lambda handle, **options: self._start(lambda: method(handle, **options), handle)
        return lambda *args, **options: self._repeat(lambda: method(*args, **options), [*args, *options.values()])

    def _start(self, call: Callable[[], Any], handle: ContainerHandle) -> None:
        """Start what is new: when the answer was lost, it may have ended by the time it is asked for again."""
        new = self.state(handle).status is ContainerStatus.CREATED
        try:
            self._repeat(call, [])
        except ContainerLost:
            if not new or self.state(handle).status is not ContainerStatus.EXITED:
                raise

    def _repeat(self, call: Callable[[], Any], arguments: list[Any]) -> Any:
        for attempt in range(ATTEMPTS):
            for argument in arguments:
                _start_over(argument)
            try:
                return call()
            except (RuntimeUnavailable, ExecError, CopyError) as error:
                passing = isinstance(error, RuntimeUnavailable) or error.reason in _PASSING
                if not passing or attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("no attempt was made")


def _start_over(argument: Any) -> None:
    if isinstance(argument, Counter | Gathered):
        argument.reset()
    elif hasattr(argument, "truncate"):
        argument.seek(0)
        argument.truncate()
