# ruff: noqa: ARG001 - signatures are the hub's API

"""Repos of tags, and the external repos they draw on, as builders ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import koji

from koji_adjutant.minihub.changes import tag_first_change_event, tag_last_change_event
from koji_adjutant.minihub.context import Context, convert, exported, isoformat, require
from koji_adjutant.minihub.hosts import name_or_id
from koji_adjutant.minihub.inheritance import order_of
from koji_adjutant.minihub.repo_options import checked_options
from koji_adjutant.minihub.tags import strict_tag
from koji_adjutant.minihub.views import view

INIT, READY, EXPIRED, DELETED = (koji.REPO_STATES[name] for name in ("INIT", "READY", "EXPIRED", "DELETED"))

_FIELDS = ("id", "tag_id", "create_event", "state", "dist", "task_id", "opts", "custom_opts")
_ACTIVE_FIELDS = (
    "id", "tag_id", "create_event", "create_ts", "state", "dist", "task_id", "tag_name", "creation_ts", "state_ts",
    "end_event", "opts",
)  # fmt: skip
_SQL = """
SELECT repo.id, repo.tag_id, tag.name AS tag_name, repo.state, repo.create_event, events.time AS create_ts,
    repo.creation_time AS creation_ts, repo.state_time AS state_ts, repo.task_id, task.state AS task_state,
    repo.dist, repo.opts, repo.custom_opts
FROM repo JOIN tag ON tag.id = tag_id JOIN events ON events.id = create_event LEFT JOIN task ON task.id = repo.task_id
"""


def _described(ctx: Context, row: dict[str, Any]) -> dict[str, Any]:
    """Each time twice; begin and end are the changes of the tag before and after the repo's event."""
    row["creation_time"] = isoformat(row["creation_ts"])
    row["state_time"] = isoformat(row["state_ts"])
    begin = end = None
    if not row["dist"]:
        begin = tag_last_change_event(ctx, row["tag_id"], row["create_event"]) or row["create_event"]
        end = tag_first_change_event(ctx, row["tag_id"], row["create_event"])
    for name, event in (("begin", begin), ("end", end)):
        row[f"{name}_event"] = event
        row[f"{name}_ts"] = ctx.db.value("SELECT time FROM events WHERE id = ?", (event,))
    return row


@exported("repoInfo")
def repo_info(ctx: Context, repo_id: int, strict: bool = False) -> dict[str, Any] | None:
    """A repo by id."""
    row = ctx.db.row(_SQL + "WHERE repo.id = ?", (convert(repo_id, int, none_allowed=True),))
    if row is None:
        return require(None) if strict else None
    return _described(ctx, row)


def strict_repo(ctx: Context, repo_id: int) -> dict[str, Any]:
    """A repo that must be there."""
    found = repo_info(ctx, repo_id, strict=True)
    assert found is not None
    return found


def _newest(ctx: Context, tag: Any, clause: str, values: list[Any]) -> list[dict[str, Any]]:
    sql = f"{_SQL} WHERE repo.tag_id = ? AND {clause} ORDER BY repo.create_event DESC, repo.id DESC"
    return ctx.db.rows(sql, [strict_tag(ctx, tag)["id"], *values])


@exported("getRepo")
def get_repo(
    ctx: Context, tag: Any, state: int | None = None, event: int | None = None, dist: bool = False,
    min_event: int | None = None,
) -> dict[str, Any] | None:  # fmt: skip
    """The newest repo of a tag, READY unless another state or an event is named."""
    clause, values = (
        ("create_event <= ?", [event]) if event else ("repo.state = ?", [READY if state is None else state])
    )
    if min_event is not None:
        clause += " AND create_event >= ?"
        values.append(min_event)
    found = _newest(ctx, tag, f"{clause} AND repo.dist = ?", [*values, bool(dist)])
    return _described(ctx, found[0]) if found else None


@exported("repo.get")
def repo_get(
    ctx: Context, tag: Any, min_event: int | None = None, at_event: int | None = None, opts: Any = None
) -> dict[str, Any] | None:
    """The newest READY repo that is no older than an event and has the options, and no others by request."""
    wanted = checked_options(opts, strict=True)
    clause, values = "repo.state = ? AND repo.dist = 0", [READY]
    if at_event is not None:
        clause, values = f"{clause} AND create_event = ?", [*values, convert(at_event, int)]
    elif min_event is not None:
        clause, values = f"{clause} AND create_event >= ?", [*values, convert(min_event, int)]
    fit = (row for row in _newest(ctx, tag, clause, values) if has_options(row, wanted))
    found = next(fit, None)
    return None if found is None else _described(ctx, found)


def has_options(repo: Mapping[str, Any], wanted: Mapping[str, bool]) -> bool:
    """Whether a repo has what was asked for, and nothing special that was not."""
    opts, custom = repo["opts"] or {}, repo["custom_opts"] or {}
    return wanted.items() <= opts.items() and custom.items() <= wanted.items()


@exported("getActiveRepos")
def get_active_repos(ctx: Context) -> list[dict[str, Any]]:
    """Repos that are not deleted."""
    return list(repo_query(ctx, [["state", "!=", DELETED]], _ACTIVE_FIELDS))


@exported("repo.query")
def repo_query(ctx: Context, clauses: Any = None, fields: Any = None, opts: Any = None) -> Any:
    """Repos of any tag and state."""
    rows = (_described(ctx, row) for row in ctx.db.rows(f"{_SQL} ORDER BY repo.id"))
    return view(rows, clauses, fields, opts, _FIELDS)


@exported("getExternalRepoList")
def get_external_repo_list(ctx: Context, tag_info: Any, event: int | None = None) -> list[dict[str, Any]]:
    """External repos of a tag and what it inherits, nearest and by priority first, each once."""
    tag_id = strict_tag(ctx, tag_info)["id"]
    found: dict[int, dict[str, Any]] = {}
    for member in order_of(ctx, tag_id):
        for row in get_tag_external_repos(ctx, member):
            found.setdefault(row["external_repo_id"], row)
    return list(found.values())


@exported("getTagExternalRepos")
def get_tag_external_repos(
    ctx: Context,
    tag_info: Any = None,
    repo_info: Any = None,
    event: int | None = None,
) -> list[dict[str, Any]]:
    """External repos of one tag, by priority."""
    sql = (
        "SELECT external_repo_id, external_repo.name AS external_repo_name, url, priority, tag_id, tag.name AS tag_name, "
        "merge_mode, tag_external_repos.arches FROM tag_external_repos JOIN tag ON tag.id = tag_id "
        "JOIN external_repo ON external_repo.id = external_repo_id ORDER BY tag_id, priority"
    )
    rows = ctx.db.rows(sql)
    tag_id = None if tag_info is None else strict_tag(ctx, tag_info)["id"]
    rows = [row for row in rows if tag_id is None or row["tag_id"] == tag_id]
    return [
        row for row in rows if repo_info is None or repo_info in (row["external_repo_id"], row["external_repo_name"])
    ]


@exported("getExternalRepo")
def get_external_repo(ctx: Context, info: Any, strict: bool = False, event: int | None = None) -> dict[str, Any] | None:
    """An external repo by id, name or dict."""
    column, wanted = name_or_id(info)
    row = ctx.db.row(f"SELECT id, name, url FROM external_repo WHERE id > 0 AND {column} = ?", (wanted,))  # noqa: S608 - one of two
    if row is None and strict:
        raise koji.GenericError(f"No such repo: {info}")
    return row


@exported("listExternalRepos")
def list_external_repos(
    ctx: Context, info: Any = None, url: str | None = None, **_options: Any
) -> list[dict[str, Any]]:
    """All external repos."""
    rows = ctx.db.rows("SELECT id, name, url FROM external_repo WHERE id > 0 ORDER BY id")
    return [
        row for row in rows if (url is None or row["url"] == url) and (info is None or info in (row["id"], row["name"]))
    ]
