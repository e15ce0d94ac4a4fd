"""Who may use a Koji host name when several replicas share them: decisions over Leases, no request and no clock (section 8).

Clocks of machines differ, so nobody compares the times that stand in a Lease. A replica counts from its own monotonic clock
at which it first saw what a Lease says now; the holder counts from before its last renewal was sent, and gives up earlier
than anybody else may follow. The hub's exclusive session is the fence for what remains.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_CHARS = 253


@dataclass(frozen=True)
class LeaseTimes:
    """Seconds. The defaults survive a restart of the API server."""

    lease: float = 30.0
    """How long others leave a name alone after a renewal they have seen."""
    give_up: float = 20.0
    """How long a holder goes on after the last renewal it could make. Less than `lease`, by what a stop takes."""
    renew: float = 5.0
    """Between two renewals, and between two looks of a replica that stands by."""


DEFAULT_TIMES = LeaseTimes()


@dataclass(frozen=True)
class LeaseRecord:
    """What the cluster has about one host name."""

    host: str
    holder: str = ""
    """The replica that has it; empty: none."""
    epoch: int = 0
    """Raised whenever the name is claimed."""
    seconds: float = DEFAULT_TIMES.lease
    """How long after a renewal its holder is to be left alone."""
    renewed: str = ""
    """The time of the last renewal as it stands there: it only counts whether it changes."""
    version: str = ""
    """Of the object, for changes that must not meet another; empty: there is none yet."""


@dataclass(frozen=True)
class Sighting:
    """A record, and the local monotonic time at which it was first seen like this."""

    record: LeaseRecord
    since: float


def sight(before: Sighting | None, record: LeaseRecord, now: float) -> Sighting:
    """Return the sighting of `record` after `before`. A change of the object that is no renewal changes nothing."""
    if before is not None and _content(before.record) == _content(record):
        return Sighting(record, before.since)
    return Sighting(record, now)


def is_claimable(sighting: Sighting, replica: str, now: float) -> bool:
    """Whether `replica` may take the name: nobody has it, this replica had it itself, or its holder has been silent."""
    record = sighting.record
    return record.holder in {"", replica} or now - sighting.since > record.seconds


def choices(
    sightings: Iterable[Sighting], replica: str, now: float, live: Mapping[str, int] | None = None
) -> list[LeaseRecord]:
    """Return the names that `replica` may claim, the best first.

    The one it had before it was started anew; then those whose tasks still have containers (`live`: host name to their
    number), the most first; then the others in the order given.
    """
    living = live or {}
    found = [entry.record for entry in sightings if is_claimable(entry, replica, now)]
    return sorted(found, key=lambda record: (record.holder != replica, -living.get(record.host, 0)))


def claimed(record: LeaseRecord, replica: str, seconds: float) -> LeaseRecord:
    """Return the record that makes `replica` the holder for `seconds`, in a new epoch."""
    return replace(record, holder=replica, epoch=record.epoch + 1, seconds=seconds)


def lease_name(worker: str) -> str:
    """Return the name of the Lease for a worker label (host name and hash of the hub)."""
    name = f"adjutant-{worker}"
    if len(name) <= _NAME_CHARS and _SUBDOMAIN.fullmatch(name):
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", worker.lower()).strip("-")[:60].strip("-")
    return f"adjutant-{plain or 'x'}-{hashlib.sha256(worker.encode()).hexdigest()[:12]}"


def _content(record: LeaseRecord) -> tuple[str, int, str]:
    return record.holder, record.epoch, record.renewed
