"""Host names claimed by Leases of a real API server."""

from __future__ import annotations

import threading
import time

import pytest

from koji_adjutant.errors import ContainerError
from koji_adjutant.manager.clock import SystemClock
from koji_adjutant.manager.lease import LeaseTimes
from koji_adjutant.manager.lease_claim import Standby
from koji_adjutant.manager.lease_store import LeaseStore

TIMES = LeaseTimes(lease=3.0, give_up=2.0, renew=0.3)
SECONDS = 30.0


@pytest.fixture
def standby(place):
    """Makes replicas; what they have claimed is let go at the end."""
    claims = []

    def make(replica, hosts=("a.example.com", "b.example.com")):
        store = LeaseStore(place.api, place.namespace, lambda host: f"{host}.ab12cd34")
        found = Standby(store, hosts, replica, SystemClock(), times=TIMES)
        look = found.look

        def kept():
            claim = look()
            claims.extend([claim] if claim else [])
            return claim

        found.look = kept
        return found

    yield make
    for claim in claims:
        claim.abandon()


def lease(place, host):
    return place.api.request(
        "GET", f"/apis/coordination.k8s.io/v1/namespaces/{place.namespace}/leases/adjutant-{host}.ab12cd34"
    )


def test_replicas_that_start_at_once_share_no_name(standby):
    """The server lets one of them change a Lease; the others take another name."""
    hosts = tuple(f"{name}.example.com" for name in "abcdef")
    barrier, claims = threading.Barrier(len(hosts)), []

    def start(number):
        replica = standby(f"pod-{number}", hosts)
        barrier.wait(SECONDS)
        claims.append(replica.wait(threading.Event()).host)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(len(hosts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(claims) == sorted(hosts)


def test_a_name_is_renewed_let_go_and_taken_again(place, standby):
    """The Lease says who has it since when, in which epoch; let go it has no holder."""
    hosts = ("a.example.com",)
    claim = standby("one", hosts).look()
    before = lease(place, hosts[0])["spec"]
    assert (before["holderIdentity"], before["leaseTransitions"]) == ("one", 1)
    event = threading.Event()
    event.wait(3 * TIMES.renew)
    assert lease(place, hosts[0])["spec"]["renewTime"] > before["renewTime"]
    assert standby("two", hosts).look() is None
    claim.release()
    assert not lease(place, hosts[0])["spec"].get("holderIdentity")
    again = standby("two", hosts).look()
    assert (again.epoch, again.inherited) == (2, False)


def test_a_silent_holder_is_followed_after_its_time(standby):
    """Not before it is over; and whoever follows knows that the name was never let go."""
    hosts = ("a.example.com",)
    standby("one", hosts).look().abandon()
    other = standby("two", hosts)
    assert other.look() is None
    claim = other.wait(threading.Event())
    assert (claim.host, claim.inherited) == (hosts[0], True)


def test_a_deleted_lease_is_made_anew_by_its_holder(place, standby):
    """A server takes the renewal of a Lease that is gone; until then another replica may have made it, and then that has it."""
    hosts = ("a.example.com",)
    claim = standby("one", hosts).look()
    place.api.request(
        "DELETE", f"/apis/coordination.k8s.io/v1/namespaces/{place.namespace}/leases/adjutant-{hosts[0]}.ab12cd34"
    )
    event, deadline = threading.Event(), time.monotonic() + SECONDS
    found = None
    while found is None and time.monotonic() < deadline:
        try:
            found = lease(place, hosts[0])
        except ContainerError:
            event.wait(TIMES.renew)
    assert found["spec"]["holderIdentity"] == "one"
    assert claim.held
