"""Which host name a replica may claim: decided from what it has seen for how long, and from nothing else."""

import pytest

from koji_adjutant.manager.lease import LeaseRecord, Sighting, choices, claimed, is_claimable, lease_name, sight

HELD = LeaseRecord("h", "other", 3, 30.0, "10:00", "7")


@pytest.mark.parametrize(
    ("record", "since"),
    [
        (HELD, 5.0),
        (LeaseRecord("h", "other", 3, 30.0, "10:00", "8"), 5.0),
        (LeaseRecord("h", "other", 3, 30.0, "10:05", "8"), 9.0),
        (LeaseRecord("h", "other", 4, 30.0, "10:00", "8"), 9.0),
        (LeaseRecord("h", "third", 3, 30.0, "10:00", "8"), 9.0),
    ],
)
def test_only_a_renewal_makes_a_sighting_young(record, since):
    """A change of holder, epoch or time is one; a new version of the object alone is none."""
    assert sight(Sighting(HELD, 5.0), record, 9.0) == Sighting(record, since)


def test_the_first_sight_counts_from_now():
    """However old the time in the Lease may be: it is of another machine's clock."""
    assert sight(None, HELD, 9.0) == Sighting(HELD, 9.0)


@pytest.mark.parametrize(
    ("record", "age", "claimable"),
    [
        (HELD, 30.0, False),
        (HELD, 30.1, True),
        (LeaseRecord("h", "other", 3, 300.0, "10:00", "7"), 30.1, False),
        (LeaseRecord("h", "", 3, 30.0, "10:00", "7"), 0.0, True),
        (LeaseRecord("h"), 0.0, True),
        (LeaseRecord("h", "me", 3, 30.0, "10:00", "7"), 0.0, True),
    ],
)
def test_a_name_is_free_when_its_holder_is_silent(record, age, *, claimable):
    """For as long as the holder said; at once where there is none, or where it was this replica before it was restarted."""
    assert is_claimable(Sighting(record, 100.0), "me", 100.0 + age) is claimable


def test_own_name_comes_first_then_those_with_live_pods():
    """Then the others, in the order of the configuration; what is held is none of them."""
    free = [Sighting(LeaseRecord(host), 0.0) for host in ("a", "b", "c", "d")]
    held = Sighting(LeaseRecord("e", "other"), 0.0)
    own = Sighting(LeaseRecord("f", "me"), 0.0)
    found = choices([*free, held, own], "me", 1.0, {"c": 1, "d": 4, "e": 9})
    assert [record.host for record in found] == ["f", "d", "c", "a", "b"]


def test_a_claim_is_a_new_epoch():
    """Also where the replica had the name before: its process was another one."""
    record = claimed(LeaseRecord("h", "me", 3, 30.0, "10:00", "7"), "me", 20.0)
    assert (record.holder, record.epoch, record.seconds, record.version) == ("me", 4, 20.0, "7")


def test_every_host_has_a_lease_name_of_its_own():
    """A name that Kubernetes takes is seen in it; any other is digested."""
    assert lease_name("builder1.example.com.ab12cd34") == "adjutant-builder1.example.com.ab12cd34"
    odd = [lease_name(name) for name in ("Builder_1.ab", "builder-1.ab", "builder 1.ab", "x" * 300)]
    assert len(set(odd)) == len(odd)
    assert all(len(name) <= 253 and name.lower() == name for name in odd)
