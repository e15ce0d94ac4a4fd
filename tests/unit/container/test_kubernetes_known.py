"""What is known of pods, whatever order lists, events and answers come in."""

from __future__ import annotations

from koji_adjutant.container.kubernetes_known import KnownPods


def pod(version, name="a", uid="1", **status):
    """A pod as of a version."""
    return {"metadata": {"name": name, "uid": uid, "resourceVersion": str(version)}, "status": status}


def test_newest_word_counts():
    """An older answer does not replace a newer event."""
    known = KnownPods()
    known.take("ADDED", pod(5))
    known.note(pod(4))
    assert known.get("a") == pod(5)
    known.note(pod(6))
    assert known.get("a") == pod(6)


def test_versions_are_numbers():
    """10 is newer than 9."""
    known = KnownPods()
    known.note(pod(9))
    known.note(pod(10))
    assert known.get("a") == pod(10)


def test_list_replaces():
    """A list takes away what it does not hold, but not what was said later than it was made."""
    known = KnownPods()
    known.note(pod(3))
    known.note(pod(9, name="b", uid="2"))
    assert not known.listed
    known.replace([pod(7, name="c", uid="3")], "8")
    assert known.listed
    assert (known.get("a"), known.get("b"), known.get("c")) == (
        None,
        pod(9, name="b", uid="2"),
        pod(7, name="c", uid="3"),
    )


def test_buried_stays_buried():
    """What is still said of a pod that is gone for sure is old; another one of its name is not meant."""
    known = KnownPods()
    known.note(pod(3))
    known.bury("a", "1")
    known.take("MODIFIED", pod(5))
    known.replace([pod(5)], "5")
    assert known.get("a") is None
    known.take("ADDED", pod(6, uid="2"))
    known.bury("a", "1")
    assert known.get("a") == pod(6, uid="2")


def test_why_it_went():
    """The end of a pod is told by its last state, by a watch or by a list."""
    known = KnownPods()
    known.take("DELETED", pod(3, phase="Failed", reason="Evicted"))
    known.note(pod(4, name="b", uid="2", phase="Failed", reason="Evicted"))
    known.replace([], "5")
    assert [known.why_gone(name) for name in ("a", "b", "c")] == ["Evicted", "Evicted", "deleted"]


def test_bookmark_says_nothing_of_a_pod():
    """A bookmark has a version and no pod."""
    known = KnownPods()
    known.take("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
    assert not known.listed
