"""Builds into tags and out of them: by people at once or through a tagBuild task, by builders for the owner of a task."""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub import notifications, tasks
from koji_adjutant.minihub.builds import COMPLETE, strict_build
from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.host_calls import verified_host, verified_task
from koji_adjutant.minihub.package_lists import lookup_package, package_list, package_list_add
from koji_adjutant.minihub.policies import assert_policy
from koji_adjutant.minihub.tagged import tagged_builds
from koji_adjutant.minihub.tags import strict_tag
from koji_adjutant.minihub.users import get_user_perms

_CHAIN_PRIORITY = 15


@exported("checkTagAccess")
def check_tag_access(ctx: Context, tag_id: Any, user_id: int | None = None) -> tuple[bool, bool, str]:
    """Whether a user may tag there, whether force would help, and why not."""
    user = ctx.session.user_id if user_id is None else user_id
    if user is None:
        raise koji.GenericError("a user_id is required")
    override = "admin" in get_user_perms(ctx, user)
    return (False, override, "tag is locked") if strict_tag(ctx, tag_id)["locked"] else (True, override, "")


def _assert_access(ctx: Context, tag_id: int, user_id: int | None, *, force: bool) -> None:
    access, override, reason = check_tag_access(ctx, tag_id, user_id)
    if not access and not (override and force):
        raise koji.ActionNotAllowed(reason)


def _assert_complete(build: dict[str, Any]) -> None:
    if build["state"] != COMPLETE:
        raise koji.TagError(f"build {build['nvr']} not complete: state {koji.BUILD_STATES[build['state']]}")


def _assert_listed(ctx: Context, tag: dict[str, Any], build: dict[str, Any], shown: Any, *, force: bool) -> None:
    """`shown` is the tag as the message has it."""
    entry = package_list(ctx, tag["id"]).get(build["package_id"])
    if entry is not None and not entry["blocked"]:
        return
    if force and ctx.has_perm("admin"):
        package_list_add(ctx, tag["id"], build["package_id"], block=False, force=True)
        return
    how = "not in list for" if entry is None else "blocked in"
    raise koji.TagError(f"Package {build['name']} {how} {shown}")


def _is_tagged(ctx: Context, tag_id: int, build_id: int) -> bool:
    sql = "SELECT 1 FROM tag_listing WHERE tag_id = ? AND build_id = ? AND revoke_event IS NULL"
    return bool(ctx.db.value(sql, (tag_id, build_id)))


def _revoke(ctx: Context, tag_id: int, build_id: int, user_id: int | None) -> None:
    ctx.db.run(
        "UPDATE tag_listing SET revoke_event = ?, revoker_id = ? "
        "WHERE tag_id = ? AND build_id = ? AND revoke_event IS NULL",
        (ctx.state.tag_changed(tag_id), user_id or ctx.session.user_id, tag_id, build_id),
    )


def add(ctx: Context, tag: Any, build: Any, user_id: int | None = None, *, force: bool = False) -> None:
    """Tag a build; TagError when it is tagged already (force: it becomes the newest) or not complete."""
    info, found = strict_tag(ctx, tag), strict_build(ctx, build)
    _assert_access(ctx, info["id"], user_id, force=force)
    _assert_complete(found)
    if _is_tagged(ctx, info["id"], found["id"]):
        if not force:
            raise koji.TagError(f"build {found['nvr']} already tagged ({info['name']})")
        _revoke(ctx, info["id"], found["id"], user_id)
    ctx.db.insert(
        "tag_listing", tag_id=info["id"], build_id=found["id"], create_event=ctx.state.tag_changed(info["id"]),
        creator_id=user_id or ctx.session.user_id,
    )  # fmt: skip


def remove(
    ctx: Context, tag: Any, build: Any, user_id: int | None = None, *, strict: bool = True, force: bool = False
) -> None:
    """Untag a build; TagError when it was not tagged, if strict."""
    info, found = strict_tag(ctx, tag), strict_build(ctx, build)
    _assert_access(ctx, info["id"], user_id, force=force)
    if _is_tagged(ctx, info["id"], found["id"]):
        _revoke(ctx, info["id"], found["id"], user_id)
    elif strict:
        raise koji.TagError(f"build {found['nvr']} not in tag {info['name']}")


@exported("tagBuild")
def tag_build(ctx: Context, tag: Any, build: Any, force: bool = False, fromtag: Any = None) -> int:
    """A task that tags a build, or moves it; its id."""
    ctx.assert_login()
    found, info = strict_build(ctx, build), strict_tag(ctx, tag)
    from_id = strict_tag(ctx, fromtag)["id"] if fromtag else None
    _assert_complete(found)
    for tag_id in (info["id"], from_id):
        if tag_id is not None:
            _assert_access(ctx, tag_id, None, force=force)
    _assert_listed(ctx, info, found, info["name"], force=force)
    assert_policy(ctx, "tag", {"tag": info["id"], "build": found["id"], "fromtag": from_id}, force=force)
    return tasks.make_task(ctx, "tagBuild", [info["id"], found["id"], force, from_id], priority=10)


@exported("moveBuild")
def move_build(ctx: Context, tag1: Any, tag2: Any, build: Any, force: bool = False) -> int:
    """A task that moves a build; its id."""
    return tag_build(ctx, tag2, build, force=force, fromtag=tag1)


@exported("moveAllBuilds")
def move_all_builds(ctx: Context, tag1: Any, tag2: Any, package: Any, force: bool = False) -> list[int]:
    """Tasks that move every build of a package, one after another; their ids."""
    ctx.assert_login()
    source, target, moved = strict_tag(ctx, tag1), strict_tag(ctx, tag2), lookup_package(ctx, package)
    entry = package_list(ctx, target["id"]).get(moved["id"])
    if entry is None or entry["blocked"]:
        how = "not in list for" if entry is None else "blocked in"
        raise koji.TagError(f"Package {package} {how} tag {tag2}")
    for tag in (source, target):
        _assert_access(ctx, tag["id"], None, force=force)
    made: list[int] = []
    for build in reversed(tagged_builds(ctx, source["id"], package=moved["name"])):
        work = ["tagBuild", [target["id"], build["id"], force, source["id"]], {"priority": _CHAIN_PRIORITY}]
        made.append(tasks.make_task(ctx, "dependantTask", [made[-1:], [work]]))
    return made


@exported("tagBuildBypass")
def tag_build_bypass(ctx: Context, tag: Any, build: Any, force: bool = False, notify: bool = False) -> None:
    """Tag at once: permission `tag`."""
    ctx.assert_perm("tag")
    add(ctx, tag, build, force=force)
    if notify:
        notifications.tag_notification(ctx, True, tag, None, build, ctx.session.user_id)


@exported("untagBuildBypass")
def untag_build_bypass(
    ctx: Context, tag: Any, build: Any, strict: bool = True, force: bool = False, notify: bool = False
) -> None:
    """Untag at once: permission `tag`."""
    ctx.assert_perm("tag")
    remove(ctx, tag, build, strict=strict, force=force)
    if notify:
        notifications.tag_notification(ctx, True, None, tag, build, ctx.session.user_id)


@exported("untagBuild")
def untag_build(ctx: Context, tag: Any, build: Any, strict: bool = True, force: bool = False) -> None:
    """Untag at once, and tell those who want to know."""
    ctx.assert_login()
    remove(ctx, tag, build, strict=strict, force=force)
    notifications.tag_notification(ctx, True, None, tag, build, ctx.session.user_id)


@exported("host.tagBuild")
def host_tag_build(ctx: Context, task_id: int, tag: Any, build: Any, force: bool = False, fromtag: Any = None) -> None:
    """Tag for the owner of a task."""
    _host, wanted = verified_task(ctx, task_id)
    owner = tasks.existing(ctx.state, wanted)["owner"]
    found, info = strict_build(ctx, build), strict_tag(ctx, tag)
    assert_policy(ctx, "tag", {"tag": tag, "build": found["id"], "user_id": owner}, force=force)
    _assert_listed(ctx, info, found, tag, force=force)
    if fromtag:
        remove(ctx, fromtag, found["id"], owner, force=force)
    add(ctx, info["id"], found["id"], owner, force=force)


@exported("host.tagNotification")
def host_tag_notification(
    ctx: Context, is_successful: bool, tag_id: Any, from_id: Any, build_id: Any, user_id: Any,
    ignore_success: bool = False, failure_msg: str = "",
) -> None:  # fmt: skip
    """Tell those who want to know, through a task."""
    verified_host(ctx)
    notifications.tag_notification(
        ctx, is_successful, tag_id, from_id, build_id, user_id, ignore_success=ignore_success, failure_msg=failure_msg
    )
