"""One unbroken range of ids for each user namespace, chosen here.

Podman's `auto` takes ids wherever some are free. After containers of other sizes that is more than one range, for which
the storage cannot shift ids at mount time: it copies the image's layers and then fails to mount them (seen with Podman
4.3). The lowest free range also comes again, which matters to rootless Podman: there the storage copies layers once per map.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from koji_adjutant.container.podman_payload import IdRange

SUBUID_FILES = (Path("/etc/subuid"), Path("/etc/subgid"))
POOL_USER = "containers"
"""Whose subordinate ids rootful Podman takes for `auto`."""


@dataclass(frozen=True)
class Taken:
    """Ids of one container."""

    container_id: str
    ranges: Sequence[IdRange]


class IdRanges:
    """Hands out ranges of `pool`, by what containers have. Thread-safe.

    `list_ids` names all containers, `ranges_of` asks for the ids of one (which never change, so it is asked once).
    Another process may choose the same range at the same time: `overlaps` tells after the creation who has to step aside.
    """

    def __init__(
        self,
        pool: Sequence[range],
        list_ids: Callable[[], Iterable[str]],
        ranges_of: Callable[[str], Sequence[IdRange]],
    ) -> None:
        self.pool = pool
        self.lock = threading.Lock()
        """To be held from the choice to the creation."""
        self._list_ids = list_ids
        self._ranges_of = ranges_of
        self._known: dict[str, Sequence[IdRange]] = {}

    def choose(self, size: int) -> int | None:
        """First id of the lowest free range, None if there is none."""
        return free_base(self.pool, [each for taken in self._taken() for each in taken.ranges], size)

    def overlaps(self, container_id: str, base: int, size: int) -> bool:
        """Whether a container of a smaller id has some of these ids: then this one must go."""
        return any(
            each.host_id < base + size and base < each.host_id + each.size
            for taken in self._taken()
            if taken.container_id < container_id
            for each in taken.ranges
        )

    def _taken(self) -> list[Taken]:
        there = list(self._list_ids())
        self._known = {each: self._known[each] if each in self._known else self._ranges_of(each) for each in there}
        return [Taken(each, ranges) for each, ranges in self._known.items()]


def pool_of(info: Mapping[str, Any]) -> list[range]:
    """The ids user namespaces are cut from, as the service counts them."""
    host = info["host"]
    if host["security"]["rootless"]:
        # Id 0 is the service's user.
        entries = (host.get("idMappings") or {}).get("uidmap") or []
        return [
            range(entry["container_id"], entry["container_id"] + entry["size"])
            for entry in entries
            if entry["container_id"] != 0
        ]
    uids, gids = (subordinate(path, POOL_USER) for path in SUBUID_FILES)
    # One base for both maps, so only where the files agree.
    return [each for each in uids if each in gids]


def subordinate(path: Path, user: str) -> list[range]:
    """The ranges of `user` in a file like /etc/subuid."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    fields = (line.strip().split(":") for line in lines)
    return [range(int(f[1]), int(f[1]) + int(f[2])) for f in fields if len(f) == 3 and f[0] == user]


def free_base(pool: Iterable[range], used: Iterable[IdRange], size: int) -> int | None:
    """First id of `size` free ones in a row, None if there are not that many."""
    taken = sorted((each.host_id, each.host_id + each.size) for each in used)
    for part in pool:
        base = part.start
        for start, end in taken:
            if start - base >= size:
                break
            base = max(base, end)
        if base >= part.start and base + size <= part.stop:
            return base
    return None


def explicit(base: int, size: int) -> dict[str, Any]:
    """The part of a payload that asks for this range instead of `auto`."""
    ids = [{"container_id": 0, "host_id": base, "size": size}]
    return {"userns": {"nsmode": "private"}, "idmappings": {"UIDMap": ids, "GIDMap": ids}}
