"""Ranges of ids for user namespaces."""

from __future__ import annotations

import pytest

from koji_adjutant.container.podman_id_ranges import IdRanges, free_base, pool_of, subordinate
from koji_adjutant.container.podman_payload import IdRange

POOL = [range(1000, 1400)]


@pytest.mark.parametrize(
    ("used", "base"),
    [
        ([], 1000),
        ([(1000, 100)], 1100),
        ([(1100, 100)], 1000),
        ([(1050, 10)], 1060),
        ([(1000, 100), (1200, 100)], 1100),
        ([(1000, 10), (1100, 100)], 1200),
        ([(1000, 350)], None),
        ([(0, 5000)], None),
        ([(5000, 10)], 1000),
    ],
)
def test_lowest_free_range(used, base):
    """The lowest free range is taken, whatever lies about; none is None."""
    assert free_base(POOL, [IdRange(0, start, size) for start, size in used], 100) == base


def test_second_pool():
    """A pool of several parts is used part by part."""
    assert free_base([range(50), range(1000, 1400)], [], 100) == 1000


def test_ids_are_asked_once():
    """Ids of a container never change: they are asked once, and forgotten when it is gone."""
    asked = []
    there = ["a", "b"]

    def ranges_of(container_id):
        asked.append(container_id)
        return (IdRange(0, 1000 if container_id == "a" else 1100, 100),)

    ranges = IdRanges(POOL, lambda: list(there), ranges_of)
    assert ranges.choose(100) == 1200
    assert ranges.choose(100) == 1200
    assert asked == ["a", "b"]
    there.remove("a")
    assert ranges.choose(100) == 1000


def test_who_steps_aside():
    """Of two containers with the same ids the one with the greater id goes."""
    ranges = IdRanges(POOL, lambda: ["a", "b"], lambda _: (IdRange(0, 1000, 100),))
    assert not ranges.overlaps("a", 1000, 100)
    assert ranges.overlaps("b", 1000, 100)
    assert not ranges.overlaps("b", 1100, 100)


def test_subordinate_ids(tmp_path):
    """Lines of other users, comments and nonsense do not count; a missing file is empty."""
    path = tmp_path / "subuid"
    path.write_text("other:1:2\ncontainers:1000:400\n# containers:9:9\ncontainers:x\n")
    assert subordinate(path, "containers") == [range(1000, 1400)]
    assert subordinate(tmp_path / "nosuch", "containers") == []


def test_pool_of_a_rootless_service():
    """A rootless service cuts from its own namespace, without id 0."""
    uidmap = [{"container_id": 0, "host_id": 995, "size": 1}, {"container_id": 1, "host_id": 200000, "size": 65536}]
    info = {"host": {"security": {"rootless": True}, "idMappings": {"uidmap": uidmap}}}
    assert pool_of(info) == [range(1, 65537)]
