# ruff: noqa: ARG001 - signatures are the hub's API
"""Sessions as a 1.35 hub has them: headers, call numbers, exclusive locks, subsessions, expiry, renewal.

Contract 1.6 and kojihub/auth.py. A call number is stored with what the call wrote: a repeat of a number that is on
record is a call whose effect stands and whose answer was lost (RetryError), a repeat of one that is not is harmless.
Renewal keeps the number on record, as the real hub does: a client that starts over from 0 gets a SequenceError.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import koji

from koji_adjutant.minihub.context import Context, Session, State, exported, isoformat

LOGIN_METHODS = ("login", "sslLogin")
LOCK_FREE_METHODS = ("exclusiveSession", "login", "logout")
RETRY_METHODS = frozenset((
    "host.taskWait", "host.taskUnwait", "host.taskSetWait", "host.updateHost", "host.setBuildRootState",
    "repoExpire", "repoDelete", "repoProblem",
))  # fmt: skip

_CLOSE = "UPDATE sessions SET expired = 1, exclusive = NULL, closed = 1 WHERE "


def find_session(state: State, headers: Mapping[str, str | None], method: str | None) -> Session:
    """The session the headers name, checked and touched; raises AuthError and its kin.

    `headers` are `id`, `key` and `callnum`. Does not raise for a lock held by another session: that depends on the
    method (`check_lock`).
    """
    if headers.get("id") is None:
        return Session()
    row = state.db.row(
        "SELECT * FROM sessions WHERE id = ? AND key = ? AND closed = 0", (headers["id"], headers.get("key"))
    )
    if row is None:
        raise koji.AuthError("Invalid session or bad credentials")
    _check_expiry(state, row, method)
    call_number = None if headers.get("callnum") is None else int(headers["callnum"] or 0)
    _check_call_number(row, call_number, method)
    if row["expired"]:
        return Session(id=row["id"], user_id=row["user_id"])
    state.db.run("UPDATE sessions SET update_time = ? WHERE id = ?", (state.now(), row["id"]))
    return _session_of(state, row, call_number)


def _check_expiry(state: State, row: dict[str, Any], method: str | None) -> None:
    timeout = state.options.session_renewal_timeout
    if not row["expired"] and timeout and state.now() > (row["renew_time"] or row["start_time"]) + timeout:
        row["expired"] = True
        state.db.run("UPDATE sessions SET expired = 1 WHERE id = ? OR master = ?", (row["id"], row["id"]))
    if row["expired"] and method not in LOGIN_METHODS:
        raise koji.AuthExpired(f'session "{row["id"]}" has expired')


def _check_call_number(row: dict[str, Any], number: int | None, method: str | None) -> None:
    last = row["callnum"]
    if number is None or last is None:
        return
    if last > number:
        raise koji.SequenceError(f"{last} > {number} (session {row['id']})")
    if last == number and method not in RETRY_METHODS:
        raise koji.RetryError(f"unable to retry call {number} (method {method}) for session {row['id']}")


def _session_of(state: State, row: dict[str, Any], call_number: int | None) -> Session:
    user = state.db.row("SELECT name, status, usertype FROM users WHERE id = ?", (row["user_id"],))
    assert user is not None
    if user["status"] != koji.USER_STATUS["NORMAL"]:
        raise koji.AuthError(f"logins by {user['name']} are not allowed")
    holder = state.db.value(
        "SELECT id FROM sessions WHERE user_id = ? AND exclusive = 1 AND closed = 0", (row["user_id"],)
    )
    ours = holder is not None and holder in (row["id"], row["master"])
    return Session(
        logged_in=True,
        id=row["id"],
        user_id=row["user_id"],
        user_name=user["name"],
        usertype=user["usertype"],
        master=row["master"],
        exclusive=ours,
        lock_error="" if holder is None or ours else "User locked by another session",
        call_number=call_number,
        data=row,
    )


def check_lock(session: Session, method: str | None) -> None:
    """AuthLockError when another session of this user holds the lock; a few calls may pass to take or leave it."""
    if session.lock_error and method not in LOCK_FREE_METHODS:
        raise koji.AuthLockError(session.lock_error)


@exported("login")
def login(
    ctx: Context, user: str, password: str, opts: Any = None, renew: bool = False, exclusive: bool = False
) -> Any:
    """Log in by name and password."""
    if not isinstance(password, str) or not password:
        raise koji.AuthError("invalid username or password")
    if ctx.session.logged_in:
        raise koji.AuthError("Already logged in")
    row = ctx.db.row("SELECT * FROM users WHERE name = ? AND password = ?", (user, password))
    if row is None:
        raise koji.AuthError("invalid username or password")
    if row["status"] != koji.USER_STATUS["NORMAL"]:
        raise koji.AuthError(f"logins by {row['name']} are not allowed")
    if renew and ctx.session.id is not None:
        return _renew(ctx, ctx.session.id, exclusive)
    return _create(ctx, row["id"], exclusive=exclusive)


def _create(ctx: Context, user_id: int, *, master: int | None = None, exclusive: bool = False) -> dict[str, Any]:
    key = f"{user_id}-{secrets.token_urlsafe(15)}"
    now = ctx.now()
    session_id = ctx.db.insert(
        "sessions", user_id=user_id, key=key, authtype=koji.AUTHTYPES["NORMAL"], hostip="-", master=master,
        start_time=now, update_time=now,
    )  # fmt: skip
    if exclusive:
        _take_lock(ctx, session_id, user_id, force=False)
    return {"session-id": session_id, "session-key": key, "header-auth": True}


def _renew(ctx: Context, session_id: int, exclusive: bool) -> dict[str, Any] | None:
    row = ctx.db.row("SELECT * FROM sessions WHERE id = ?", (session_id,))
    assert row is not None
    if row["master"] and ctx.db.value("SELECT closed FROM sessions WHERE id = ?", (row["master"],)):
        return None
    key = f"{row['user_id']}-{secrets.token_urlsafe(15)}"
    now = ctx.now()
    ctx.db.run(
        "UPDATE sessions SET key = ?, expired = 0, update_time = ?, renew_time = ? WHERE id = ?",
        (key, now, now, session_id),
    )
    if exclusive and not row["exclusive"] and row["master"] is None:
        _take_lock(ctx, session_id, row["user_id"], force=False)
    return {"session-id": session_id, "session-key": key, "header-auth": True}


def _take_lock(ctx: Context, session_id: int, user_id: int | None, *, force: bool) -> None:
    holder = ctx.db.value("SELECT id FROM sessions WHERE user_id = ? AND closed = 0 AND exclusive = 1", (user_id,))
    if holder is not None and not force:
        raise koji.AuthLockError("Cannot get exclusive session")
    if holder is not None:
        ctx.db.run(_CLOSE + "id = ?", (holder,))
    ctx.db.run("UPDATE sessions SET exclusive = 1 WHERE id = ?", (session_id,))


@exported("exclusiveSession")
def exclusive_session(ctx: Context, force: bool = False) -> None:
    """Make this the only session of the user that may do anything; `force` closes the holder of the lock."""
    if ctx.session.master is not None:
        raise koji.GenericError("subsessions cannot become exclusive")
    if ctx.session.exclusive:
        raise koji.GenericError("session is already exclusive")
    if ctx.session.id is None:
        raise koji.AuthError("Not logged in")
    _take_lock(ctx, ctx.session.id, ctx.session.user_id, force=force)


@exported("sharedSession")
def shared_session(ctx: Context) -> None:
    """Give the lock back."""
    ctx.db.run("UPDATE sessions SET exclusive = NULL WHERE id = ?", (ctx.session.id,))


@exported("subsession")
def subsession(ctx: Context) -> dict[str, Any]:
    """A session that shares its master's lock and ends with it."""
    if not ctx.session.logged_in or ctx.session.user_id is None:
        raise koji.AuthError("Not logged in")
    return _create(ctx, ctx.session.user_id, master=ctx.session.master or ctx.session.id)


@exported("logout")
def logout(ctx: Context, session_id: int | None = None) -> None:
    """Close this session (or another of the same user) and its subsessions."""
    if not ctx.session.logged_in:
        raise koji.AuthError("Not logged in")
    if session_id and not ctx.has_perm("admin"):
        owner = ctx.db.value("SELECT user_id FROM sessions WHERE id = ?", (session_id,))
        if owner != ctx.session.user_id:
            raise koji.ActionNotAllowed("only admins or owner may logout other session")
    closing = session_id or ctx.session.id
    ctx.db.run(_CLOSE + "id = ? OR master = ?", (closing, closing))


@exported("logoutChild")
def logout_child(ctx: Context, session_id: int) -> None:
    """Close one subsession of this session; any other id is ignored."""
    if not ctx.session.logged_in:
        raise koji.AuthError("Not logged in")
    ctx.db.run(_CLOSE + "id = ? AND master = ?", (session_id, ctx.session.id))


def _described(row: dict[str, Any], *, details: bool) -> dict[str, Any]:
    names = ("user_id", "expired", "master", "authtype", "callnum", "exclusive")
    info = {name: row[name] for name in names}
    for name in ("start", "update", "renew"):
        info[f"{name}_time"] = isoformat(row[f"{name}_time"])
        info[f"{name}_ts"] = row[f"{name}_time"]
    return info | ({"hostip": row["hostip"], "id": row["id"]} if details else {})


@exported("getSessionInfo")
def get_session_info(ctx: Context, details: bool = False, user_id: Any = None) -> Any:
    """This session, or the live sessions of a user; None for who is not logged in."""
    if not ctx.session.logged_in:
        return None
    if not user_id:
        return _described(ctx.session.data, details=details)
    wanted = ctx.db.value("SELECT id FROM users WHERE id = ? OR name = ?", (user_id, user_id))
    if not ctx.has_perm("admin") and wanted != ctx.session.user_id:
        raise koji.ActionNotAllowed("only admins or owners may see all active sessions")
    found = ctx.db.rows("SELECT * FROM sessions WHERE user_id = ? AND expired = 0", (wanted,))
    return [_described(row, details=details) for row in found]


@exported("showSession")
def show_session(ctx: Context) -> str:
    """For people: who am I."""
    if not ctx.session.logged_in:
        return "session: not logged in"
    return f"session {ctx.session.id}: user {ctx.session.user_name}, exclusive {ctx.session.exclusive}"
