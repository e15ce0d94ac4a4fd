"""Replicas that share host names: one holder each, noticed losses, releases that hand over at once."""

import threading

import pytest

from koji_adjutant.errors import ContainerError, SessionLost
from koji_adjutant.manager.clock import SystemClock
from koji_adjutant.manager.lease import LeaseTimes
from koji_adjutant.manager.lease_claim import Standby
from koji_adjutant.manager.lease_store import LeaseStore
from tests.support.lease_server import LeaseServer

STEADY = LeaseTimes(renew=0.05)
QUICK = LeaseTimes(lease=1.0, give_up=0.4, renew=0.05)
"""For names that are to be lost: one that is to be kept may be lost too, on a busy machine."""
SECONDS = 10.0


@pytest.fixture
def server():
    return LeaseServer()


@pytest.fixture
def standby(server):
    """Makes replicas; what they have claimed is let go at the end."""
    claims = []

    def make(replica, hosts=("a", "b"), times=STEADY):
        store = LeaseStore(server, "builders", lambda host: f"{host}.hub")
        found = Standby(store, hosts, replica, SystemClock(), times=times)
        look = found.look

        def kept():
            claim = look()
            if claim is not None:
                claims.append(claim)
            return claim

        found.look = kept
        return found

    yield make
    for claim in claims:
        claim.abandon()


class Loss:
    """What a claim says when it is lost."""

    def __init__(self, claim):
        self.error = None
        self.told = threading.Event()
        claim.tell(self)

    def __call__(self, error):
        self.error = error
        self.told.set()


def test_each_replica_has_a_name_of_its_own(standby):
    """A third one finds none."""
    first, second = standby("one").look(), standby("two").look()
    assert {first.host, second.host} == {"a", "b"}
    assert first.held
    assert second.held
    assert standby("three").look() is None


def test_replicas_that_start_at_once_share_no_name(standby, server):
    """Whoever comes second to a Lease is refused by the server, and takes the next name."""
    hosts = ("a", "b", "c", "d")
    barrier, claims = threading.Barrier(len(hosts)), []

    def start(number):
        replica = standby(str(number), hosts)
        barrier.wait(SECONDS)
        claims.append(replica.wait(threading.Event()))

    threads = [threading.Thread(target=start, args=(number,)) for number in range(len(hosts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(claim.host for claim in claims) == list(hosts)


def test_a_name_that_is_renewed_stays(standby, server):
    """For as long as its holder renews it, however long that is."""
    claim = standby("one", ("a",)).look()
    other = standby("two", ("a",))
    for _ in range(5):
        assert server.wait_for_writes(5)
        assert other.look() is None
    assert claim.held


def test_a_name_let_go_is_taken_at_once(standby):
    """In a higher epoch."""
    claim = standby("one", ("a",)).look()
    other = standby("two", ("a",))
    assert other.look() is None
    claim.release()
    assert not claim.held
    assert other.look().epoch == claim.epoch + 1


def test_a_silent_holder_gives_up_before_another_takes_over(standby, server):
    """It is told so, by an error after which the daemon touches nothing."""
    claim = standby("one", ("a",), QUICK).look()
    loss = Loss(claim)
    other = standby("two", ("a",))
    server.away.set()
    assert loss.told.wait(SECONDS)
    server.away.clear()
    assert isinstance(loss.error, SessionLost)
    assert not claim.held
    assert other.wait(threading.Event()).host == "a"


def test_a_name_taken_by_another_is_lost_at_once(standby, server):
    """The next renewal is refused by the server; that one is told who has it."""
    claim = standby("one", ("a",)).look()
    loss = Loss(claim)
    with server.changed:
        lease = server.objects["adjutant-a.hub"]
        lease["spec"] |= {"holderIdentity": "thief", "leaseTransitions": 9}
        lease["metadata"]["resourceVersion"] = "stolen"
    assert loss.told.wait(SECONDS)
    assert "thief" in str(loss.error)
    claim.release()
    assert server.holder("adjutant-a.hub") == "thief"


def test_lost_replies_lose_no_name(standby, server):
    """What was renewed without an answer is found to be ours."""
    claim = standby("one", ("a",)).look()
    server.loses_replies.set()
    assert server.wait_for_writes(1)
    server.loses_replies.clear()
    assert server.wait_for_writes(20)
    assert claim.held


def test_a_replica_started_anew_has_its_name_again(standby, server):
    """Its old process is gone for certain, since it runs in the same pod."""
    before = standby("one").look()
    before.abandon()
    assert standby("one").look().host == before.host


def test_waiting_ends_when_it_is_told_to(standby):
    """A replica that stands by ends without a name."""
    standby("one", ("a",)).look()
    interrupt = threading.Event()
    found = []
    thread = threading.Thread(target=lambda: found.append(standby("two", ("a",)).wait(interrupt)))
    thread.start()
    interrupt.set()
    thread.join(SECONDS)
    assert found == [None]


def test_a_refusal_is_not_waited_for(standby, server, monkeypatch):
    """A Role without the verb stays without it."""

    def refuse(*_, **__):
        raise ContainerError("forbidden", reason="forbidden")

    monkeypatch.setattr(server, "request", refuse)
    with pytest.raises(ContainerError, match="forbidden"):
        standby("one").wait(threading.Event())


def test_an_outage_is_waited_for(standby, server):
    """The API server may come later than the replica."""
    server.away.set()
    found = []
    thread = threading.Thread(target=lambda: found.append(standby("one").wait(threading.Event())))
    thread.start()
    server.away.clear()
    thread.join(SECONDS)
    assert found[0].host == "a"
