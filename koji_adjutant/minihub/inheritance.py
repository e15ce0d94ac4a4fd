"""The order in which a tag inherits: depth first, by priority, with the limits a link may set.

kojihub's readFullInheritance: `maxdepth` bounds how far a link reaches, `intransitive` links count only from the tag
itself, `pkg_filter` and `noconfig` hold for everything behind the link, and a tag may appear twice where the second
way to it lets more through.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from koji_adjutant.minihub.context import Context

Link = dict[str, Any]

_SQL = (
    "SELECT tag_id, parent_id, name, priority, maxdepth, intransitive, noconfig, pkg_filter "
    "FROM tag_inheritance JOIN tag ON tag.id = {shown} WHERE {known} = ? ORDER BY priority"
)


def direct_links(ctx: Context, tag_id: int, *, reverse: bool = False) -> list[Link]:
    """Links to the parents (`child_id` is the tag), or with `reverse` from the children."""
    if reverse:
        return ctx.db.rows(_SQL.format(shown="tag_id", known="parent_id"), (tag_id,))
    rows = ctx.db.rows(_SQL.format(shown="parent_id", known="tag_id"), (tag_id,))
    for row in rows:
        row["child_id"] = row.pop("tag_id")
    return rows


def inheritance(ctx: Context, tag_id: int, *, reverse: bool = False) -> list[Link]:
    """Every link that counts for the tag, in order; with `reverse` those of the tags that inherit from it."""
    walk = _Walk(ctx, reverse)
    walk.follow(tag_id, _Reach(), frozenset())
    return walk.order


def order_of(ctx: Context, tag_id: int) -> list[int]:
    """The tag and what it inherits from, nearest first, each once."""
    return list(dict.fromkeys([tag_id, *(link["parent_id"] for link in inheritance(ctx, tag_id))]))


@dataclass(frozen=True)
class _Reach:
    """What the links on the way to a tag let through."""

    depth: int = 0
    maxdepth: int | None = None
    noconfig: bool = False
    filters: tuple[str, ...] = ()


@dataclass
class _Walk:
    ctx: Context
    reverse: bool
    order: list[Link] = field(default_factory=list)
    seen: dict[int, list[Link]] = field(default_factory=dict)

    def follow(self, tag_id: int, reach: _Reach, above: frozenset[int]) -> None:
        if reach.maxdepth is not None and reach.maxdepth < 1:
            return
        path = above | {tag_id}
        for link in direct_links(self.ctx, tag_id, reverse=self.reverse):
            target = link["tag_id"] if self.reverse else link["parent_id"]
            if target in path or (link["intransitive"] and len(path) > 1 and not self.reverse):
                continue
            if self.reverse and link["maxdepth"] is not None and link["maxdepth"] < reach.depth:
                continue
            beyond = self._beyond(link, reach)
            link |= {"nextdepth": beyond.maxdepth, "currdepth": beyond.depth, "filter": list(beyond.filters)}
            known = self.seen.setdefault(target, [])
            if any(_lets_as_much_through(previous, link, beyond) for previous in known):
                continue
            known.append(link)
            self.order.append(link)
            if not (link["intransitive"] and self.reverse):
                self.follow(target, beyond, path)

    def _beyond(self, link: Link, reach: _Reach) -> _Reach:
        depth: int | None = None
        if not self.reverse:
            limits = [limit for limit in (link["maxdepth"], reach.maxdepth) if limit is not None]
            depth = min(limits) if limits else None
            if reach.maxdepth is not None and depth is not None:
                depth -= 1
        filters = (*reach.filters, link["pkg_filter"]) if link["pkg_filter"] else reach.filters
        return _Reach(reach.depth + 1, depth, reach.noconfig or link["noconfig"], filters)


def _lets_as_much_through(previous: Link, link: Link, beyond: _Reach) -> bool:
    if previous["filter"] or (previous["noconfig"] and not beyond.noconfig):
        return False
    last, now = previous["nextdepth"], link["nextdepth"]
    return last is None or (now is not None and last >= now)
