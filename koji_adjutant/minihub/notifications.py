# ruff: noqa: ARG001 - signatures are the hub's API
"""Who is told what: tasks buildNotification and tagNotification, which builders turn into mail.

Told are the owner of the build, the owner of the package in the tag and everybody who asked for it.
"""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub import tasks
from koji_adjutant.minihub.builds import BUILDING, COMPLETE, FAILED, get_build, strict_build
from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.package_lists import package_list
from koji_adjutant.minihub.tags import get_tag
from koji_adjutant.minihub.targets import get_build_target
from koji_adjutant.minihub.users import find_user, get_user

_WEB_URL = "http://localhost/koji"
_NORMAL = (koji.USER_STATUS["NORMAL"], koji.USERTYPES["NORMAL"])


def _recipients(ctx: Context, build: dict[str, Any], tag_id: int | None, state: int) -> list[str]:
    found = [
        row["email"]
        for row in ctx.db.rows("SELECT * FROM build_notifications ORDER BY id")
        if row["package_id"] in (None, build["package_id"])
        and row["tag_id"] in (None, tag_id)
        and (state == COMPLETE or not row["success_only"])
    ]
    options = ctx.state.options
    if options.notify_on_success or state != COMPLETE:
        found.append(f"{build['owner_name']}@{options.email_domain}")
        entry = package_list(ctx, tag_id).get(build["package_id"]) if tag_id is not None else None
        owner = find_user(ctx, entry["owner_id"]) if entry and not entry["blocked"] else None
        if owner is not None and (owner["status"], owner["usertype"]) == _NORMAL:
            found.append(f"{owner['name']}@{options.email_domain}")
    return list(dict.fromkeys(found))


def build_notification(ctx: Context, task_id: int, build_id: int) -> None:
    """A build has ended: a task that says so, owned by the caller."""
    build = strict_build(ctx, build_id)
    if build["state"] == BUILDING:
        raise koji.GenericError("never send notifications for incomplete builds")
    target = _target(ctx, task_id)
    recipients = _recipients(ctx, build, target["dest_tag"] if target else None, build["state"])
    if recipients:
        tasks.make_task(ctx, "buildNotification", [recipients, build, target, _WEB_URL])


def _target(ctx: Context, task_id: int) -> dict[str, Any] | None:
    request = tasks.existing_request(ctx.state, task_id)
    if tasks.existing(ctx.state, task_id)["method"] not in ("build", "maven") or not request[1]:
        return None
    return get_build_target(ctx, request[1])


def tag_notification(
    ctx: Context, is_successful: bool, tag_id: Any, from_id: Any, build_id: Any, user_id: Any, *,
    ignore_success: bool = False, failure_msg: str = "",
) -> int | None:  # fmt: skip
    """A build was tagged, or could not be: a task that says so; None when nobody wants to know."""
    build = get_build(ctx, build_id)
    if build is None:
        return None
    user = get_user(ctx, user_id, strict=True) if user_id else None
    state = COMPLETE if is_successful else FAILED
    recipients: list[str] = []
    for info in (tag_id, from_id):
        tag = get_tag(ctx, info) if info else None
        recipients += _recipients(ctx, build, tag["id"], state) if tag else []
    if not recipients or (is_successful and ignore_success):
        return None
    arguments = [list(dict.fromkeys(recipients)), is_successful, tag_id, from_id, build_id, user and user["id"]]
    return tasks.make_task(ctx, "tagNotification", [*arguments, ignore_success, failure_msg])


@exported("getBuildNotifications")
def get_build_notifications(ctx: Context, userID: Any = None) -> list[dict[str, Any]]:  # noqa: N803 - the hub's name for it
    """What a user asked to be told."""
    user = get_user(ctx, userID, strict=True)
    assert user is not None
    return ctx.db.rows("SELECT * FROM build_notifications WHERE user_id = ? ORDER BY id", (user["id"],))


@exported("getBuildNotificationBlocks")
def get_build_notification_blocks(ctx: Context, userID: Any = None) -> list[dict[str, Any]]:  # noqa: N803 - the hub's name for it
    """What a user asked not to be told: nothing of that is kept here."""
    return []


@exported("createNotification")
def create_notification(
    ctx: Context, user_id: int, package_id: int | None, tag_id: int | None, success_only: bool
) -> int:
    """Tell a user about builds of a package, into a tag, or all."""
    ctx.assert_login()
    user = get_user(ctx, user_id, strict=True)
    assert user is not None
    if user["id"] != ctx.session.user_id and not ctx.has_perm("admin"):
        raise koji.GenericError(f"user {ctx.session.user_name} cannot create notifications for user {user['name']}")
    email = f"{user['name']}@{ctx.state.options.email_domain}"
    return ctx.db.insert(
        "build_notifications", user_id=user["id"], package_id=package_id, tag_id=tag_id,
        success_only=bool(success_only), email=email,
    )  # fmt: skip
