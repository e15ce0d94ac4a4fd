"""Events, and when a tag was last changed: what makes a repo old.

The real hub finds out from its versioned tables; here every change of a tag puts its event into `tag_updates`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from koji_adjutant.minihub.context import Context, convert, exported, require
from koji_adjutant.minihub.database import marks
from koji_adjutant.minihub.inheritance import order_of
from koji_adjutant.minihub.tags import strict_tag


@exported("getEvent")
def get_event(ctx: Context, id: int, strict: bool = True) -> dict[str, Any] | None:  # noqa: A002 - the hub's name for it
    """When an event was."""
    row = ctx.db.row("SELECT id, time AS ts FROM events WHERE id = ?", (convert(id, int),))
    return require(row) if strict else row


@exported("getLastEvent")
def get_last_event(ctx: Context, before: float | None = None, strict: bool = True) -> dict[str, Any] | None:
    """The newest event, or the newest before a time."""
    where, values = ("", ()) if before is None else ("WHERE time < ?", (before,))
    row = ctx.db.row(f"SELECT id, time AS ts FROM events {where} ORDER BY id DESC LIMIT 1", values)  # noqa: S608 - one of two
    return require(row) if strict else row


def _event_of(ctx: Context, tags: Sequence[int], choice: str, test: str, event: int | None) -> int | None:
    sql = f"SELECT {choice}(update_event) FROM tag_updates WHERE tag_id IN ({marks(tags)})"  # noqa: S608 - constants
    values = [*tags] if event is None else [*tags, event]
    found = ctx.db.value(sql if event is None else f"{sql} AND update_event {test} ?", values)
    return None if found is None else int(found)


def _members(ctx: Context, tag: Any, *, inherit: bool) -> list[int]:
    tag_id = strict_tag(ctx, tag)["id"]
    return order_of(ctx, tag_id) if inherit else [tag_id]


@exported("tagLastChangeEvent")
def tag_last_change_event(ctx: Context, tag: Any, before: int | None = None, inherit: bool = True) -> int | None:
    """The newest change of a tag and of what it inherits; None when it was not there before the event."""
    members = _members(ctx, tag, inherit=inherit)
    return _event_of(ctx, members, "max", "<", convert(before, int, none_allowed=True))


@exported("tagFirstChangeEvent")
def tag_first_change_event(ctx: Context, tag: Any, after: int | None = None, inherit: bool = True) -> int | None:
    """The oldest change after an event, None when there is none; without an event the birth of the tag."""
    limit = convert(after, int, none_allowed=True)
    if limit is None:
        return _event_of(ctx, _members(ctx, tag, inherit=False), "min", ">", None)
    return _event_of(ctx, _members(ctx, tag, inherit=inherit), "min", ">", limit)


@exported("tagChangedSinceEvent")
def tag_changed_since_event(ctx: Context, event: int, taglist: list[int]) -> bool:
    """Whether any of the tags (without what they inherit) was changed after the event."""
    return bool(taglist) and _event_of(ctx, taglist, "max", ">", convert(event, int)) is not None
