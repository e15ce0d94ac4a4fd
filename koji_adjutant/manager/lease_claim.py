"""A replica's claim to one host name: waits for a free one, keeps it, notices that it is lost (design section 8)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import structlog

from koji_adjutant.errors import ContainerError, SessionLost
from koji_adjutant.manager.clock import Clock
from koji_adjutant.manager.lease import DEFAULT_TIMES, LeaseRecord, LeaseTimes, Sighting, choices, sight
from koji_adjutant.manager.lease_store import LeaseStore, LeaseTaken

log = structlog.get_logger(__name__)

OnLost = Callable[[BaseException], None]
"""Called once, from a thread of the claim, when its name may be another's: with what the daemon then ends with."""


class HostClaim:
    """A claimed name, renewed by a thread of its own, watched by another. `release` or `abandon` ends both."""

    def __init__(
        self,
        store: LeaseStore,
        record: LeaseRecord,
        clock: Clock,
        claimed_at: float,
        times: LeaseTimes = DEFAULT_TIMES,
        *,
        inherited: bool = False,
    ) -> None:
        """`claimed_at`: monotonic time before the request that claimed it was sent."""
        self.host = record.host
        self.epoch = record.epoch
        self.inherited = inherited
        """Whether the holder before, which may have been this replica, never let the name go."""
        self._store = store
        self._record = record
        self._clock = clock
        self._renewed_at = claimed_at
        self._times = times
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._lost: BaseException | None = None
        self._on_lost: OnLost | None = None
        self._threads = [
            threading.Thread(target=self._renew, name="lease-renewal", daemon=True),
            # A request may hang for as long as it likes: somebody else watches the time.
            threading.Thread(target=self._watch, name="lease-watch", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def held(self) -> bool:
        """Whether the name is ours for certain."""
        with self._lock:
            return not self._over.is_set() and self._clock.monotonic() < self._renewed_at + self._times.give_up

    def tell(self, on_lost: OnLost) -> None:
        """Have `on_lost` called when the name is lost; at once if it is already."""
        with self._lock:
            self._on_lost = on_lost
            lost = self._lost
        if lost is not None:
            on_lost(lost)

    def release(self) -> None:
        """Let the name go, so that another replica need not wait. An API server that does not answer is left alone."""
        if self._end():
            try:
                self._store.release(self._record)
            except ContainerError as error:
                log.warning("lease.not_released", host=self.host, error=str(error))
            else:
                log.info("lease.released", host=self.host)

    def abandon(self) -> None:
        """Stop renewing, and let the name expire."""
        self._end()

    def _end(self) -> bool:
        """End the threads; return whether the name was still ours."""
        ours = self.held
        self._over.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                # One that hangs in a request is left behind.
                thread.join(1.0)
        return ours

    def _renew(self) -> None:
        while not self._clock.wait(self._over, self._times.renew):
            sent = self._clock.monotonic()
            try:
                record = self._renewed()
            except LeaseTaken as error:
                self._lose(str(error))
                return
            except ContainerError as error:
                log.warning("lease.not_renewed", host=self.host, error=str(error))
                continue
            with self._lock:
                self._record, self._renewed_at = record, sent

    def _renewed(self) -> LeaseRecord:
        """Renew. After a change by somebody the Lease is read again: it may be that our own reply was lost."""
        try:
            return self._store.renew(self._record)
        except LeaseTaken:
            found = self._store.read(self.host)
            if (found.holder, found.epoch) != (self._record.holder, self.epoch):
                raise LeaseTaken(f"host {self.host} is {found.holder or 'nobody'}'s now, epoch {found.epoch}") from None
            return self._store.renew(found)

    def _watch(self) -> None:
        while True:
            with self._lock:
                left = self._renewed_at + self._times.give_up - self._clock.monotonic()
            if left <= 0:
                self._lose(f"its Lease could not be renewed for {self._times.give_up:g} seconds")
                return
            if self._clock.wait(self._over, left):
                return

    def _lose(self, why: str) -> None:
        with self._lock:
            if self._over.is_set():
                return
            self._over.set()
            self._lost = SessionLost(
                f"this replica has lost the host name {self.host}: {why}",
                resolution="Nothing to do: its builds go on, and whoever claims the name next adopts them.",
            )
            error, on_lost = self._lost, self._on_lost
        log.error("lease.lost", host=self.host, reason=why)
        if on_lost is not None:
            on_lost(error)


class Standby:
    """A replica without a name, looking for one. Used by one thread."""

    def __init__(
        self,
        store: LeaseStore,
        hosts: Sequence[str],
        replica: str,
        clock: Clock,
        live: Callable[[], Mapping[str, int]] = dict,
        times: LeaseTimes = DEFAULT_TIMES,
    ) -> None:
        """`live`: how many containers each host name has; asked only where there is a choice."""
        self._store = store
        self._hosts = hosts
        self._replica = replica
        self._clock = clock
        self._live = live
        self._times = times
        self._seen: dict[str, Sighting] = {}

    def wait(self, interrupt: threading.Event) -> HostClaim | None:
        """Wait for a name to be free and claim it; None once `interrupt` is set.

        An API server that does not answer is waited for.

        Raises:
            ContainerError: it refuses (`forbidden`): no waiting helps.
        """
        standing_by = False
        while not interrupt.is_set():
            try:
                claim = self.look()
            except ContainerError as error:
                if not error.retryable:
                    raise
                log.warning("lease.not_seen", error=str(error))
                claim = None
            if claim is not None:
                return claim
            if not standing_by:
                standing_by = True
                log.info("lease.standing_by", hosts=list(self._hosts), replica=self._replica)
            self._clock.wait(interrupt, self._times.renew)
        return None

    def look(self) -> HostClaim | None:
        """Look once at all names; claim the best of those that are free."""
        for host in self._hosts:
            record = self._store.read(host)
            # The time after the answer: a renewal that is in it may be as young as that.
            self._seen[host] = sight(self._seen.get(host), record, self._clock.monotonic())
        sightings = [self._seen[host] for host in self._hosts]
        free = choices(sightings, self._replica, self._clock.monotonic())
        if len(free) > 1:
            free = choices(sightings, self._replica, self._clock.monotonic(), self._live())
        for record in free:
            sent = self._clock.monotonic()
            try:
                claimed = self._store.claim(record, self._replica, self._times.lease)
            except LeaseTaken:
                continue
            log.info("lease.claimed", host=claimed.host, replica=self._replica, epoch=claimed.epoch)
            return HostClaim(self._store, claimed, self._clock, sent, self._times, inherited=bool(record.holder))
        return None
