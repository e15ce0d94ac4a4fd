# ruff: noqa: ARG001, N803 - signatures are the hub's API
"""Users, permissions, and the calls that only say that the hub is there."""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub.context import Context, exported


@exported("echo")
def echo(_ctx: Context, *args: Any) -> tuple[Any, ...]:
    """The smoke test of every client."""
    return args


@exported("hello")
def hello(_ctx: Context, *_args: Any) -> str:
    """Another one."""
    return "Hello World"


@exported("error")
def error(_ctx: Context) -> None:
    """A GenericError, for tests of clients."""
    raise koji.GenericError("test error")


@exported("fault")
def fault(_ctx: Context) -> None:
    """An error without a class of Koji's, for tests of clients: fault code 1."""
    raise RuntimeError("test exception")


@exported("getKojiVersion")
def get_koji_version(_ctx: Context) -> str:
    """The version of the library this hub speaks with."""
    return str(koji.__version__)


@exported("getAPIVersion")
def get_api_version(_ctx: Context) -> int:
    """The version of the protocol."""
    return int(koji.API_VERSION)


@exported("mavenEnabled")
def maven_enabled(ctx: Context) -> bool:
    """Whether wrapper rpms are taken; nothing else of Maven is here."""
    return ctx.state.options.enable_maven


@exported("winEnabled")
def win_enabled(_ctx: Context) -> bool:
    """No."""
    return False


def find_user(ctx: Context, info: Any) -> dict[str, Any] | None:
    """A user by id, name or dict; the hub's public form."""
    if info is None and ctx.session.user_id is None:
        raise koji.GenericError("No user provided")
    wanted = ctx.session.user_id if info is None else info
    if isinstance(wanted, dict):
        wanted = wanted.get("id") or wanted.get("name")
    if not isinstance(wanted, (int, str)):
        raise koji.GenericError(f"Invalid type for userInfo: {type(wanted)}")
    column = "name" if isinstance(wanted, str) else "id"
    row = ctx.db.row(f"SELECT id, name, status, usertype FROM users WHERE {column} = ?", (wanted,))  # noqa: S608 - one of two
    return None if row is None else row | {"krb_principals": []}


@exported("getUser")
def get_user(
    ctx: Context, userInfo: Any = None, strict: bool = False, krb_princs: bool = True, groups: bool = False
) -> dict[str, Any] | None:
    """A user, or None."""
    row = find_user(ctx, userInfo)
    if row is None and strict:
        raise koji.GenericError(f"No such user: {userInfo!r}")
    if row is not None and not krb_princs:
        del row["krb_principals"]
    if row is not None and groups:
        row["groups"] = []
    return row


@exported("getLoggedInUser")
def get_logged_in_user(ctx: Context) -> dict[str, Any] | None:
    """The caller, or None."""
    if not ctx.session.logged_in:
        return None
    me = find_user(ctx, ctx.session.user_id)
    assert me is not None
    return me | {"authtype": ctx.session.data["authtype"], "krb_principal": None}


@exported("createUser")
def create_user(ctx: Context, username: str, status: int | None = None, krb_principal: Any = None) -> int:
    """A new user, without a password: the hub has no call for passwords."""
    ctx.assert_perm("admin")
    if find_user(ctx, username):
        raise koji.GenericError(f"user already exists: {username}")
    return ctx.db.insert("users", name=username, status=status or koji.USER_STATUS["NORMAL"])


@exported("listUsers")
def list_users(ctx: Context, userType: int = koji.USERTYPES["NORMAL"], **_filters: Any) -> list[dict[str, Any]]:
    """All users of a type."""
    return ctx.db.rows("SELECT id, name, status, usertype FROM users WHERE usertype = ? ORDER BY id", (userType,))


@exported("getAllPerms")
def get_all_perms(ctx: Context) -> list[dict[str, Any]]:
    """Permissions there are."""
    return ctx.db.rows("SELECT id, name, description FROM permissions ORDER BY id")


@exported("getUserPerms")
def get_user_perms(ctx: Context, userID: Any = None, with_groups: bool = True) -> list[str]:
    """Names of the permissions of a user."""
    user = get_user(ctx, userID, strict=True)
    assert user is not None
    found = ctx.db.rows(
        "SELECT name FROM user_perms JOIN permissions ON permissions.id = perm_id WHERE user_id = ?", (user["id"],)
    )
    return [row["name"] for row in found]


@exported("getPerms")
def get_perms(ctx: Context) -> list[str]:
    """Names of the caller's permissions."""
    return get_user_perms(ctx) if ctx.session.logged_in else []


@exported("hasPerm")
def has_perm(ctx: Context, perm: str, strict: bool = False) -> bool:
    """Whether the caller has it."""
    if strict and ctx.db.value("SELECT id FROM permissions WHERE name = ?", (perm,)) is None:
        raise koji.GenericError(f"No such permission {perm} defined")
    return ctx.has_perm(perm)


@exported("grantPermission")
def grant_permission(
    ctx: Context, userinfo: Any, permission: str, create: bool = False, description: str | None = None
) -> None:
    """Give a user a permission."""
    ctx.assert_perm("admin")
    user = get_user(ctx, userinfo, strict=True)
    assert user is not None
    perm_id = ctx.db.value("SELECT id FROM permissions WHERE name = ?", (permission,))
    if perm_id is None and not create:
        raise koji.GenericError(f"No such entry in table permissions: {permission}")
    if perm_id is None:
        perm_id = ctx.db.insert("permissions", name=permission, description=description)
    if permission in get_user_perms(ctx, user["id"]):
        raise koji.GenericError(f"user {user['name']} already has permission: {permission}")
    ctx.db.insert("user_perms", user_id=user["id"], perm_id=perm_id)


@exported("revokePermission")
def revoke_permission(ctx: Context, userinfo: Any, permission: str) -> None:
    """Take a permission away."""
    ctx.assert_perm("admin")
    user = get_user(ctx, userinfo, strict=True)
    assert user is not None
    ctx.db.run(
        "DELETE FROM user_perms WHERE user_id = ? AND perm_id = (SELECT id FROM permissions WHERE name = ?)",
        (user["id"], permission),
    )
