# ruff: noqa: ARG001 - signatures are the hub's API
"""The hub's policies as they stand in kojihub without configuration; what only administrators may, `trusted_users` may too.

Builds from a source package, a repo or a source repository that nobody allowed are denied, with the real hub's words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import koji

from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.host_calls import verified_host
from koji_adjutant.minihub.users import find_user, get_user_perms

_ADMIN_ONLY = "deny Only admin can do this via default policy"
_Rule = Callable[[Context, dict[str, Any]], str]


def _user(ctx: Context, data: dict[str, Any]) -> dict[str, Any] | None:
    return find_user(ctx, data["user_id"] if data.get("user_id") is not None else None)


def _perms(ctx: Context, data: dict[str, Any]) -> set[str]:
    user = _user(ctx, data)
    return set(get_user_perms(ctx, user["id"])) if user else set()


def _trusted(ctx: Context, data: dict[str, Any]) -> str:
    user = _user(ctx, data)
    allowed = "admin" in _perms(ctx, data) or (user is not None and user["name"] in ctx.state.options.trusted_users)
    return "allow" if allowed else _ADMIN_ONLY


def _package_list(ctx: Context, data: dict[str, Any]) -> str:
    allowed = _perms(ctx, data) & {"admin", "tag"}
    return "allow" if allowed else "deny Only admin/tag can do this via default policy"


def _promotion(ctx: Context, data: dict[str, Any]) -> str:
    owner = ctx.db.value("SELECT owner FROM build WHERE id = ?", (data.get("build"),))
    if "draft-promoter" in _perms(ctx, data) or owner == data.get("user_id"):
        return "allow"
    return "deny Only draft-promoter and build owner can do this via default policy"


def _fixed(answer: str) -> _Rule:
    return lambda _ctx, _data: answer


_POLICIES: dict[str, _Rule] = {
    "build_rpm": _fixed("allow"),
    "build_from_srpm": _trusted,
    "build_from_repo_id": _trusted,
    "build_from_scm": _trusted,
    "package_list": _package_list,
    "volume": _fixed("DEFAULT"),
    "priority": _fixed("stay"),
    "cg_import": _fixed("allow"),
    "draft_promotion": _promotion,
}


def check_policy(
    ctx: Context, name: str, data: dict[str, Any], *, strict: bool = False, force: bool = False
) -> tuple[bool, str]:
    """Whether a policy allows something, and why not; ActionNotAllowed if strict. One that is not there allows."""
    rule = _POLICIES.get(name)
    if rule is None:
        return True, "missing policy"
    result, _, reason = rule(ctx, data).partition(" ")
    if result == "allow":
        return True, reason
    if force and "admin" in _perms(ctx, data):
        return True, "overriden by force"
    if result != "deny":
        reason = "error in policy"
    if strict:
        raise koji.ActionNotAllowed(f"policy violation ({name})" + (f": {reason}" if reason else ""))
    return False, reason


def assert_policy(ctx: Context, name: str, data: dict[str, Any], *, force: bool = False) -> None:
    """ActionNotAllowed unless the policy allows it; `force` is for administrators."""
    check_policy(ctx, name, data, strict=True, force=force)


@exported("host.checkPolicy")
def host_check_policy(
    ctx: Context,
    name: str,
    data: dict[str, Any],
    default: str = "deny",
    strict: bool = False,
) -> tuple[bool, str]:
    """A builder asks."""
    verified_host(ctx)
    return check_policy(ctx, name, data, strict=strict)


@exported("host.assertPolicy")
def host_assert_policy(ctx: Context, name: str, data: dict[str, Any], default: str = "deny") -> None:
    """A builder insists."""
    verified_host(ctx)
    check_policy(ctx, name, data, strict=True)


def _eval(ctx: Context, name: str, data: dict[str, Any]) -> str:
    rule = _POLICIES.get(name)
    if rule is None:
        raise koji.GenericError(f"no such policy: {name}")
    return rule(ctx, data)


@exported("host.evalPolicy")
def host_eval_policy(ctx: Context, name: str, data: dict[str, Any]) -> str:
    """A builder wants the rule's own words."""
    verified_host(ctx)
    return _eval(ctx, name, data)


@exported("evalPolicy")
def eval_policy(ctx: Context, name: str, data: dict[str, Any]) -> str:
    """The same for anybody."""
    return _eval(ctx, name, data)
