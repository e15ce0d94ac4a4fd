# ruff: noqa: ARG001, N803 - signatures are the hub's API
"""Tags, inheritance and groups: what a build asks about them.

There is no history: `event` is accepted and given back as `query_event`, the answer is the present.
"""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any

import koji

from koji_adjutant.minihub.builds import find_build
from koji_adjutant.minihub.context import Context, apply_query_options, exported
from koji_adjutant.minihub.hosts import name_or_id
from koji_adjutant.minihub.inheritance import direct_links, inheritance, order_of

_COLUMNS = "id, name, arches, locked, extra, maven_support, maven_include_all"


@exported("getTag")
def get_tag(
    ctx: Context, tagInfo: Any, strict: bool = False, event: int | None = None, blocked: bool = False
) -> dict[str, Any] | None:
    """A tag by id, name or dict."""
    column, wanted = name_or_id(tagInfo)
    row = ctx.db.row(f"SELECT {_COLUMNS} FROM tag WHERE {column} = ?", (wanted,))  # noqa: S608 - one of two
    if row is None and strict:
        raise koji.GenericError(f"No such tagInfo: {tagInfo!r}")
    if row is None:
        return None
    row |= {"extra": row["extra"] or {}, "perm": None, "perm_id": None}
    return row if event is None else row | {"query_event": event}


def strict_tag(ctx: Context, info: Any) -> dict[str, Any]:
    """A tag that must be there."""
    tag = get_tag(ctx, info, strict=True)
    assert tag is not None
    return tag


@exported("getTagID")
def get_tag_id(ctx: Context, info: Any, strict: bool = False, create: bool = False) -> int | None:
    """Only the id."""
    tag = get_tag(ctx, info)
    if tag is None and strict:
        raise koji.GenericError(f"No such entry in table tag: {info}")
    return tag["id"] if tag else None


@exported("listTags")
def list_tags(
    ctx: Context, build: Any = None, package: Any = None, perms: bool = True, queryOpts: Any = None,
    pattern: str | None = None,
) -> Any:  # fmt: skip
    """All tags, those of a build or a package, those whose name matches a glob."""
    if build is not None and package is not None:
        raise koji.GenericError("only one of build and package may be specified")
    columns, sql, values = "tag.*", " FROM tag", []
    if build is not None:
        sql += " JOIN tag_listing ON tag_id = tag.id WHERE build_id = ? AND revoke_event IS NULL"
        values = [find_build(ctx, build, strict=True)]
    elif package is not None:
        columns += ", owner AS owner_id, users.name AS owner_name, blocked, extra_arches"
        column, wanted = name_or_id(package)
        sql += (
            " JOIN tag_packages ON tag_id = tag.id JOIN package ON package.id = package_id "
            f"JOIN users ON users.id = owner WHERE package.{column} = ?"
        )
        values = [wanted]
    rows = ctx.db.rows(f"SELECT {columns}{sql} ORDER BY tag.id", values)
    found = [row | ({"perm": None, "perm_id": None} if perms else {}) for row in rows]
    for row in found:
        del row["extra"]
    return apply_query_options([row for row in found if pattern is None or fnmatch(row["name"], pattern)], queryOpts)


@exported("getFullInheritance")
def get_full_inheritance(ctx: Context, tag: Any, event: int | None = None, reverse: bool = False) -> Any:
    """The whole order of inheritance."""
    return inheritance(ctx, strict_tag(ctx, tag)["id"], reverse=reverse)


@exported("getInheritanceData")
def get_inheritance_data(ctx: Context, tag: Any, event: int | None = None) -> list[dict[str, Any]]:
    """Direct parents."""
    return direct_links(ctx, strict_tag(ctx, tag)["id"])


@exported("getBuildConfig")
def get_build_config(ctx: Context, tag: Any, event: int | None = None) -> dict[str, Any]:
    """The tag with arches and extra settings taken from what it inherits."""
    config = get_tag(ctx, tag, strict=True, event=event)
    assert config is not None
    origin: dict[str, Any] = {"extra": {}, "arches": None}
    for link in inheritance(ctx, config["id"]):
        if link["noconfig"]:
            continue
        parent = strict_tag(ctx, link["parent_id"])
        named = {"id": parent["id"], "name": parent["name"]}
        if config["arches"] is None and parent["arches"] is not None:
            config["arches"], origin["arches"] = parent["arches"], named
        for key in parent["extra"].keys() - config["extra"].keys():
            config["extra"][key], origin["extra"][key] = parent["extra"][key], named
    return config | {"config_inheritance": origin}


@exported("getTagGroups")
def get_tag_groups(
    ctx: Context, tag: Any, event: int | None = None, inherit: bool = True, incl_pkgs: bool = True,
    incl_reqs: bool = True, incl_blocked: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """Groups of packages, nearest tag first."""
    tag_id = strict_tag(ctx, tag)["id"]
    order = order_of(ctx, tag_id) if inherit else [tag_id]
    groups: dict[int, dict[str, Any]] = {}
    sql = "SELECT group_id, package, name FROM group_package_listing JOIN groups ON id = group_id WHERE tag_id = ?"
    for member in order:
        for row in ctx.db.rows(sql, (member,)):
            group = groups.setdefault(row["group_id"], _group(row, member))
            if row["package"] not in {entry["package"] for entry in group["packagelist"]}:
                group["packagelist"].append(_group_package(row, member))
    return list(groups.values())


def _group(row: dict[str, Any], tag_id: int) -> dict[str, Any]:
    return {
        "group_id": row["group_id"], "name": row["name"], "display_name": row["name"], "tag_id": tag_id,
        "biarchonly": False, "blocked": False, "description": None, "exported": True, "is_default": None,
        "langonly": None, "uservisible": True, "packagelist": [], "grouplist": [],
    }  # fmt: skip


def _group_package(row: dict[str, Any], tag_id: int) -> dict[str, Any]:
    return {
        "group_id": row["group_id"], "package": row["package"], "tag_id": tag_id, "type": "mandatory",
        "basearchonly": None, "blocked": False, "requires": None,
    }  # fmt: skip
