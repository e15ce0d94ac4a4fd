# ruff: noqa: ARG001, N803 - signatures are the hub's API
"""Changes of tags, of what they inherit, their groups and external repos. Each is an event after which repos are old."""

from __future__ import annotations

import json
from typing import Any

import koji

from koji_adjutant.minihub.context import Context, convert, exported
from koji_adjutant.minihub.hosts import name_or_id
from koji_adjutant.minihub.inheritance import direct_links
from koji_adjutant.minihub.repos import get_external_repo, get_tag_external_repos
from koji_adjutant.minihub.tags import get_tag, get_tag_groups, strict_tag

_LINK_FIELDS = ("parent_id", "priority", "maxdepth", "intransitive", "noconfig", "pkg_filter")


_FLAGS = ("locked", "maven_support", "maven_include_all")


def _flags(ctx: Context, wanted: dict[str, Any], before: dict[str, Any]) -> dict[str, bool]:
    flags = {name: bool(wanted.get(name, before[name])) for name in _FLAGS}
    if not ctx.state.options.enable_maven and (flags["maven_support"] or flags["maven_include_all"]):
        raise koji.GenericError("Maven support not enabled")
    return flags


@exported("createTag")
def create_tag(ctx: Context, name: str, parent: Any = None, arches: str | None = None, **options: Any) -> int:
    """A new tag; `parent` is inherited from."""
    ctx.assert_perm("tag")
    if get_tag(ctx, name):
        raise koji.GenericError(f"A tag with the name '{name}' already exists")
    parent_tag = get_tag(ctx, parent) if parent else None
    if parent and parent_tag is None:
        raise koji.GenericError(f"Parent tag '{parent}' could not be found")
    listed = koji.parse_arches(arches, strict=True, allow_none=True)
    extra = json.dumps(options.get("extra") or {})
    flags = _flags(ctx, options, dict.fromkeys(_FLAGS, False))
    tag_id = ctx.db.insert("tag", name=name, arches=listed, extra=extra, **flags)
    if parent_tag is not None:
        ctx.db.insert("tag_inheritance", tag_id=tag_id, parent_id=parent_tag["id"], priority=0)
    ctx.state.tag_changed(tag_id)
    return tag_id


@exported("editTag2")
def edit_tag(ctx: Context, tagInfo: Any, **changes: Any) -> None:
    """Change arches, the lock and what is of Maven; add to `extra` and remove from it (`remove_extra`)."""
    ctx.assert_perm("tag")
    tag = strict_tag(ctx, tagInfo)
    removed = changes.get("remove_extra") or ()
    missing = [key for key in removed if key not in tag["extra"]]
    if missing:
        raise koji.GenericError(f"Tag: {tag['name']} doesn't have extra: {', '.join(missing)}")
    extra = {key: value for key, value in tag["extra"].items() if key not in removed} | (changes.get("extra") or {})
    arches = changes.get("arches", tag["arches"])
    arches = koji.parse_arches(arches, strict=True) if arches else arches
    flags = _flags(ctx, changes, tag)
    if {"arches": arches, "extra": extra, **flags} == {name: tag[name] for name in ("arches", "extra", *_FLAGS)}:
        return
    ctx.db.run(
        "UPDATE tag SET arches = ?, extra = ?, locked = ?, maven_support = ?, maven_include_all = ? WHERE id = ?",
        (arches, json.dumps(extra), *(flags[name] for name in _FLAGS), tag["id"]),
    )
    ctx.state.tag_changed(tag["id"])


@exported("setInheritanceData")
def set_inheritance_data(ctx: Context, tag: Any, data: Any, clear: bool = False) -> None:
    """Add, change or remove (`delete link`) links to parents; `clear` removes those not named."""
    ctx.assert_perm("tag")
    tag_id = strict_tag(ctx, tag)["id"]
    changes = [data] if isinstance(data, dict) else list(data)
    links = {} if clear else {link["parent_id"]: link for link in direct_links(ctx, tag_id)}
    for link in changes:
        for name in ("parent_id",) if link.get("delete link") else _LINK_FIELDS:
            if name not in link:
                raise koji.GenericError(f"No value for {name}")
        strict_tag(ctx, link["parent_id"])
        links.pop(link["parent_id"], None)
        if not link.get("delete link"):
            links[link["parent_id"]] = link
    _assert_priorities_differ(tag_id, links)
    ctx.db.run("DELETE FROM tag_inheritance WHERE tag_id = ?", (tag_id,))
    for link in links.values():
        ctx.db.insert("tag_inheritance", tag_id=tag_id, **{name: link[name] for name in _LINK_FIELDS})
    ctx.state.tag_changed(tag_id)


def _assert_priorities_differ(tag_id: int, links: dict[int, dict[str, Any]]) -> None:
    by_priority: dict[int, list[int]] = {}
    for parent_id, link in links.items():
        by_priority.setdefault(link["priority"], []).append(parent_id)
    for priority, parents in by_priority.items():
        if len(parents) > 1:
            raise koji.GenericError(
                f"Multiple parent tags ({parents!r}) cannot have the same priority value ({priority}) "
                f"on child tag {tag_id}"
            )


def _group_id(ctx: Context, info: Any, *, create: bool) -> int:
    column, wanted = name_or_id(info)
    found = ctx.db.value(f"SELECT id FROM groups WHERE {column} = ?", (wanted,))  # noqa: S608 - one of two columns
    if found is None and not (create and column == "name"):
        raise koji.GenericError(f"No such entry in table groups: {info}")
    return int(found or ctx.db.insert("groups", name=wanted))


@exported("groupListAdd")
def group_list_add(
    ctx: Context, taginfo: Any, grpinfo: Any, block: bool = False, force: bool = False, **opts: Any
) -> None:
    """A group of a tag. One without packages is not kept here: it has no meaning for a build."""
    ctx.assert_perm("tag")
    strict_tag(ctx, taginfo)
    _group_id(ctx, grpinfo, create=True)


@exported("groupPackageListAdd")
def group_package_list_add(
    ctx: Context, taginfo: Any, grpinfo: Any, pkg_name: str, block: bool = False, force: bool = False, **opts: Any
) -> None:
    """A package of a group of a tag."""
    ctx.assert_perm("tag")
    tag_id, group_id = strict_tag(ctx, taginfo)["id"], _group_id(ctx, grpinfo, create=False)
    listed = {group["group_id"]: group["packagelist"] for group in get_tag_groups(ctx, tag_id)}
    if pkg_name in {entry["package"] for entry in listed.get(group_id, ())} and not force:
        return
    ctx.db.run(
        "INSERT OR REPLACE INTO group_package_listing (tag_id, group_id, package) VALUES (?, ?, ?)",
        (tag_id, group_id, pkg_name),
    )
    ctx.state.tag_changed(tag_id)


@exported("groupPackageListRemove")
def group_package_list_remove(ctx: Context, taginfo: Any, grpinfo: Any, pkg_name: str) -> None:
    """Take a package out of a group of a tag."""
    ctx.assert_perm("tag")
    tag_id, group_id = strict_tag(ctx, taginfo)["id"], _group_id(ctx, grpinfo, create=False)
    ctx.db.run(
        "DELETE FROM group_package_listing WHERE tag_id = ? AND group_id = ? AND package = ?",
        (tag_id, group_id, pkg_name),
    )
    ctx.state.tag_changed(tag_id)


@exported("createExternalRepo")
def create_external_repo(ctx: Context, name: str, url: str) -> dict[str, Any]:
    """A new external repo, of no tag yet."""
    ctx.assert_perm("admin")
    if get_external_repo(ctx, name):
        raise koji.GenericError(f'An external repo named "{name}" already exists')
    shown = url if url.endswith("/") else url + "/"
    repo_id = ctx.db.insert("external_repo", name=name, url=shown)
    ctx.state.new_event()
    return {"id": repo_id, "name": name, "url": shown}


@exported("addExternalRepoToTag")
def add_external_repo_to_tag(
    ctx: Context, tag_info: Any, repo_info: Any, priority: int, merge_mode: str | None = "koji",
    arches: str | None = None,
) -> None:  # fmt: skip
    """Let a tag draw on an external repo."""
    ctx.assert_perm("tag")
    mode = merge_mode or "koji"
    if mode not in koji.REPO_MERGE_MODES:
        raise koji.GenericError(f"No such merge mode: {mode}")
    tag, repo, place = strict_tag(ctx, tag_info), get_external_repo(ctx, repo_info, strict=True), convert(priority, int)
    assert repo is not None
    for row in get_tag_external_repos(ctx, tag["id"]):
        if row["external_repo_id"] == repo["id"]:
            raise koji.GenericError(f"tag {tag['name']} already associated with external repo {repo['name']}")
        if row["priority"] == place:
            raise koji.GenericError(f"tag {tag['name']} already associated with an external repo at priority {place}")
    ctx.db.insert(
        "tag_external_repos", tag_id=tag["id"], external_repo_id=repo["id"], priority=place, merge_mode=mode,
        arches=None if arches is None else koji.parse_arches(arches),
    )  # fmt: skip
    ctx.state.tag_changed(tag["id"])


@exported("removeExternalRepoFromTag")
def remove_external_repo_from_tag(ctx: Context, tag_info: Any, repo_info: Any) -> None:
    """Let a tag draw on it no more."""
    ctx.assert_perm("tag")
    tag, repo = strict_tag(ctx, tag_info), get_external_repo(ctx, repo_info, strict=True)
    assert repo is not None
    values = (tag["id"], repo["id"])
    if not ctx.db.run("DELETE FROM tag_external_repos WHERE tag_id = ? AND external_repo_id = ?", values):
        raise koji.GenericError(f"external repo {repo['name']} not associated with tag {tag['name']}")
    ctx.state.tag_changed(tag["id"])


@exported("repo.setExternalRepoData")
def set_external_repo_data(ctx: Context, external_repo_id: Any, data: dict[str, Any]) -> None:
    """What was seen of an external repo last (kojira): a change of every tag that draws on it."""
    ctx.assert_perm("repo")
    repo = get_external_repo(ctx, external_repo_id, strict=True)
    assert repo is not None
    ctx.db.run("UPDATE external_repo SET data = ? WHERE id = ?", (json.dumps(data), repo["id"]))
    for row in get_tag_external_repos(ctx, repo_info=repo["id"]):
        ctx.state.tag_changed(row["tag_id"])


@exported("repo.getExternalRepoData")
def get_external_repo_data(ctx: Context, erepo: Any) -> Any:
    """What was seen of it last."""
    repo = get_external_repo(ctx, erepo, strict=True)
    assert repo is not None
    row = ctx.db.row("SELECT data FROM external_repo WHERE id = ?", (repo["id"],))
    return row and row["data"]
