# ruff: noqa: ARG001, N803 - signatures are the hub's API
"""Which packages a tag may hold, whose they are, and which it blocks."""

from __future__ import annotations

import re
from typing import Any

import koji

from koji_adjutant.minihub.build_records import new_package
from koji_adjutant.minihub.builds import package_id
from koji_adjutant.minihub.context import Context, apply_query_options, exported
from koji_adjutant.minihub.hosts import name_or_id
from koji_adjutant.minihub.inheritance import inheritance
from koji_adjutant.minihub.policies import assert_policy
from koji_adjutant.minihub.tags import get_tag_id, strict_tag
from koji_adjutant.minihub.users import get_user

_SQL = (
    "SELECT package.id AS package_id, package.name AS package_name, tag_id, tag.name AS tag_name, "
    "owner AS owner_id, users.name AS owner_name, extra_arches, blocked FROM tag_packages "
    "JOIN package ON package.id = package_id JOIN tag ON tag.id = tag_id JOIN users ON users.id = owner"
)


def package_list(ctx: Context, tag_id: int, *, inherit: bool = True) -> dict[int, dict[str, Any]]:
    """Package id -> its entry, blocked ones too; what a tag says itself comes before what it inherits."""
    found = {row["package_id"]: row for row in ctx.db.rows(f"{_SQL} WHERE tag_id = ?", (tag_id,))}
    for link in inheritance(ctx, tag_id) if inherit else ():
        for row in ctx.db.rows(f"{_SQL} WHERE tag_id = ?", (link["parent_id"],)):
            if all(re.match(pattern, row["package_name"]) for pattern in link["filter"]):
                found.setdefault(row["package_id"], row)
    return found


def lookup_package(ctx: Context, info: Any) -> dict[str, Any]:
    """A package that must be there."""
    column, wanted = name_or_id(info)
    row = ctx.db.row(f"SELECT id, name FROM package WHERE {column} = ?", (wanted,))  # noqa: S608 - one of two columns
    if row is None:
        raise koji.GenericError(f"No such entry in table package: {info}")
    return row


@exported("getPackage")
def get_package(ctx: Context, info: Any, strict: bool = False, create: bool = False) -> dict[str, Any] | None:
    """A package, or None."""
    return lookup_package(ctx, info) if strict or package_id(ctx, info) is not None else None


@exported("getPackageID")
def get_package_id(ctx: Context, name: str, strict: bool = False) -> int | None:
    """Only the id."""
    found = package_id(ctx, name)
    if found is None and strict:
        raise koji.GenericError(f"No such package name: {name}")
    return found


@exported("getPackageConfig")
def get_package_config(ctx: Context, tag: Any, pkg: Any, event: int | None = None) -> dict[str, Any] | None:
    """The entry of a package for a tag; None when it has none."""
    tag_id, pkg_id = get_tag_id(ctx, tag), package_id(ctx, pkg)
    return None if tag_id is None or pkg_id is None else package_list(ctx, tag_id).get(pkg_id)


@exported("checkTagPackage")
def check_tag_package(ctx: Context, tag: Any, pkg: Any) -> bool:
    """Whether a tag lists a package and does not block it."""
    found = get_package_config(ctx, tag, pkg)
    return found is not None and not found["blocked"]


@exported("listPackages")
def list_packages(
    ctx: Context, tagID: Any = None, userID: Any = None, pkgID: Any = None, prefix: str | None = None,
    inherited: bool = False, with_dups: bool = False, event: int | None = None, queryOpts: Any = None,
    with_owners: bool = True, with_blocked: bool = True,
) -> Any:  # fmt: skip
    """Packages, or entries of tags, users or packages."""
    if tagID is None and userID is None and pkgID is None:
        return list_packages_simple(ctx, prefix, queryOpts)
    if tagID is not None:
        rows = list(package_list(ctx, strict_tag(ctx, tagID)["id"], inherit=inherited).values())
    else:
        rows = ctx.db.rows(_SQL)
    if userID is not None:
        user = get_user(ctx, userID, strict=True)
        rows = [row for row in rows if user is not None and row["owner_id"] == user["id"]]
    if pkgID is not None:
        package = lookup_package(ctx, pkgID)
        rows = [row for row in rows if row["package_id"] == package["id"]]
    rows = [row for row in rows if with_blocked or not row["blocked"]]
    rows = [row for row in rows if row["package_name"].lower().startswith((prefix or "").lower())]
    return apply_query_options(rows, queryOpts)


@exported("listPackagesSimple")
def list_packages_simple(ctx: Context, prefix: str | None = None, queryOpts: Any = None) -> Any:
    """Packages there are."""
    rows = ctx.db.rows("SELECT id AS package_id, name AS package_name FROM package ORDER BY id")
    rows = [row for row in rows if row["package_name"].lower().startswith((prefix or "").lower())]
    return apply_query_options(rows, queryOpts)


def _write(ctx: Context, tag_id: int, pkg_id: int, owner: int, *, blocked: bool, arches: str | None) -> None:
    ctx.db.run(
        "INSERT OR REPLACE INTO tag_packages (tag_id, package_id, owner, blocked, extra_arches) VALUES (?, ?, ?, ?, ?)",
        (tag_id, pkg_id, owner, blocked, arches),
    )
    ctx.state.tag_changed(tag_id)


@exported("packageListAdd")
def package_list_add(
    ctx: Context, taginfo: Any, pkginfo: Any, owner: Any = None, block: bool | None = None,
    extra_arches: str | None = None, force: bool = False, update: bool = False,
) -> None:  # fmt: skip
    """List a package in a tag, or change its entry: permission `tag`."""
    tag = strict_tag(ctx, taginfo)
    known = package_id(ctx, pkginfo)
    if known is None and not isinstance(pkginfo, str):
        raise koji.GenericError(f"No such package: {pkginfo}")
    wanted = None if owner is None else get_user(ctx, owner, strict=True)
    ctx.assert_login()
    assert_policy(ctx, "package_list", {}, force=force)
    pkg_id = known or new_package(ctx, pkginfo)
    name = lookup_package(ctx, pkg_id)["name"]
    previous = package_list(ctx, tag["id"]).get(pkg_id)
    if previous is None and update and not force:
        raise koji.GenericError(f"cannot update: tag {tag['name']} has no data for package {name}")
    before = previous or {"owner_id": None, "blocked": False, "extra_arches": None}
    owner_id = before["owner_id"] if wanted is None else wanted["id"]
    blocked = before["blocked"] if block is None else bool(block)
    arches = before["extra_arches"] if extra_arches is None else koji.parse_arches(extra_arches, strict=True)
    same = (owner_id, blocked, arches) == (before["owner_id"], before["blocked"], before["extra_arches"])
    if previous and same and not force:
        return
    if previous and previous["blocked"] and not blocked and not force:
        raise koji.GenericError(f"package {name} is blocked in tag {tag['name']}")
    if owner_id is None and not force:
        raise koji.GenericError("owner not specified")
    _write(ctx, tag["id"], pkg_id, owner_id or ctx.session.user_id or 0, blocked=blocked, arches=arches)


@exported("packageListRemove")
def package_list_remove(ctx: Context, taginfo: Any, pkginfo: Any, force: bool = False) -> None:
    """Take an entry out of a tag."""
    tag, package = strict_tag(ctx, taginfo), lookup_package(ctx, pkginfo)
    ctx.assert_login()
    assert_policy(ctx, "package_list", {}, force=force)
    ctx.db.run("DELETE FROM tag_packages WHERE tag_id = ? AND package_id = ?", (tag["id"], package["id"]))
    ctx.state.tag_changed(tag["id"])


@exported("packageListBlock")
def package_list_block(ctx: Context, taginfo: Any, pkginfo: Any, force: bool = False) -> None:
    """Keep a package out of a tag."""
    tag, package = strict_tag(ctx, taginfo), lookup_package(ctx, pkginfo)
    if package["id"] not in package_list(ctx, tag["id"]):
        raise koji.GenericError(f"Package {package['name']} is not in tag listing for {tag['name']}")
    package_list_add(ctx, taginfo, pkginfo, block=True, force=force)


@exported("packageListUnblock")
def package_list_unblock(ctx: Context, taginfo: Any, pkginfo: Any, force: bool = False) -> None:
    """Let it in again."""
    tag, package = strict_tag(ctx, taginfo), lookup_package(ctx, pkginfo)
    ctx.assert_login()
    assert_policy(ctx, "package_list", {}, force=force)
    previous = package_list(ctx, tag["id"]).get(package["id"])
    if previous is None:
        raise koji.GenericError(f"no data (blocked or otherwise) for package {package['name']} in tag {tag['name']}")
    if not previous["blocked"]:
        raise koji.GenericError(f"package {package['name']} NOT blocked in tag {tag['name']}")
    _write(
        ctx, tag["id"], package["id"], previous["owner_id"], blocked=False, arches=previous["extra_arches"]
    )  # fmt: skip


@exported("packageListSetOwner")
def package_list_set_owner(ctx: Context, taginfo: Any, pkginfo: Any, owner: Any, force: bool = False) -> None:
    """Give a package of a tag to another user."""
    package_list_add(ctx, taginfo, pkginfo, owner=owner, force=force, update=True)


@exported("packageListSetArches")
def package_list_set_arches(ctx: Context, taginfo: Any, pkginfo: Any, arches: str, force: bool = False) -> None:
    """Set the arches a package is built for beyond the tag's."""
    package_list_add(ctx, taginfo, pkginfo, extra_arches=arches, force=force, update=True)
