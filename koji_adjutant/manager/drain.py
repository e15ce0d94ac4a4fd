"""Whether this host takes tasks at all: a drain stands in a file, so that it outlives the daemon until somebody lifts it."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from koji_adjutant.errors import AdjutantError

log = structlog.get_logger(__name__)

DRAIN_FILE = "drain.json"
FORMAT = 1
RESOLUTION = "Free space in state_dir and make it writable for the daemon."


@dataclass(frozen=True)
class Drain:
    """Since when (unix time) no task is taken, who asked for it, and what for; `reason` may be empty."""

    since: float
    by: str
    reason: str = ""

    @property
    def sentence(self) -> str:
        """What readiness says about it."""
        return f"Draining: {self.reason}" if self.reason else f"Draining, asked for by {self.by}"


class DrainSwitch:
    """The drain of one host identity, kept at `path`. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._drain = _read(path)
        if self._drain is not None:
            log.warning("host.still_draining", since=self._drain.since, by=self._drain.by, reason=self._drain.reason)

    @property
    def drain(self) -> Drain | None:
        """The drain in force, None if there is none."""
        with self._lock:
            return self._drain

    @property
    def sentence(self) -> str:
        """What readiness says about the drain in force; empty if there is none."""
        drain = self.drain
        return drain.sentence if drain else ""

    def set(self, by: str, reason: str, now: float) -> Drain:
        """Drain from now on; a drain in force keeps its beginning and gets the new reason.

        Raises:
            AdjutantError: it cannot be written, so it is not in force.
        """
        with self._lock:
            drain = Drain(self._drain.since if self._drain else now, by, reason)
            try:
                _write(self._path, {"format": FORMAT, **asdict(drain)})
            except OSError as error:
                raise AdjutantError(
                    f"the drain cannot be written to {self._path}: {error.strerror}", resolution=RESOLUTION
                ) from error
            self._drain = drain
        log.warning("host.draining", by=by, reason=reason)
        return drain

    def lift(self, by: str) -> Drain | None:
        """Take tasks again; return the drain that was in force.

        Raises:
            AdjutantError: the file cannot be removed, so the drain stays.
        """
        with self._lock:
            lifted = self._drain
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                raise AdjutantError(
                    f"the drain at {self._path} cannot be removed: {error.strerror}", resolution=RESOLUTION
                ) from error
            self._drain = None
        if lifted is not None:
            log.warning("host.drain_lifted", by=by)
        return lifted


def _read(path: Path) -> Drain | None:
    """Return what the file says. One that cannot be read drains: somebody wrote it for that."""
    try:
        data: dict[str, Any] = json.loads(path.read_bytes())
        return Drain(float(data["since"]), str(data["by"]), str(data["reason"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("drain.unreadable", path=str(path), error=str(error))
        return Drain(0.0, "nobody known", f"{path} cannot be read")


def _write(path: Path, data: dict[str, Any]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("w", encoding="utf-8") as stream:
        json.dump(data, stream)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
