# ruff: noqa: ARG001, N803 - signatures are the hub's API
"""Host entries and channels, as administrators and the `koji` command see them."""

from __future__ import annotations

from typing import Any

import koji

from koji_adjutant.minihub.context import Context, convert, exported, isoformat, require

_COLUMNS = (
    "id, user_id, name, update_time AS update_ts, ready, task_load, arches, capacity, description, comment, enabled"
)
_CHANNEL_COLUMNS = "id, name, description, enabled, comment"


def name_or_id(info: Any) -> tuple[str, Any]:
    """Column and value for the hub's many ways to name a row; ParameterError for anything else."""
    wanted = info
    if isinstance(info, dict):
        wanted = info.get("id", info.get("name"))
    if isinstance(wanted, bool) or not isinstance(wanted, (int, str)):
        raise koji.ParameterError(f"Invalid name or id value: {info}")
    return ("name" if isinstance(wanted, str) else "id"), wanted


@exported("getHost")
def get_host(ctx: Context, hostInfo: Any, strict: bool = False, event: int | None = None) -> dict[str, Any] | None:
    """A host by id, name or dict; None when there is none."""
    column, wanted = name_or_id(hostInfo)
    row = ctx.db.row(f"SELECT {_COLUMNS} FROM host WHERE {column} = ?", (wanted,))  # noqa: S608 - one of two columns
    if row is None and strict:
        raise koji.GenericError(f"Invalid hostInfo: {hostInfo}")
    return row


def _existing(ctx: Context, hostname: Any) -> dict[str, Any]:
    host = get_host(ctx, hostname)
    if host is None:
        raise koji.GenericError(f"host does not exist: {hostname}")
    return host


@exported("addHost")
def add_host(ctx: Context, hostname: str, arches: Any, krb_principal: Any = None, force: bool = False) -> int:
    """A host and its user, in channel default."""
    ctx.assert_perm("host")
    listed = koji.parse_arches(arches if isinstance(arches, str) else " ".join(arches), strict=True)
    if get_host(ctx, hostname):
        raise koji.GenericError(f"host already exists: {hostname}")
    user = ctx.db.row("SELECT id, usertype FROM users WHERE name = ?", (hostname,))
    if user is not None and user["usertype"] != koji.USERTYPES["HOST"] and not force:
        raise koji.GenericError(f"user {hostname} already exists and it is not a host")
    if user is None:
        user_id = ctx.db.insert("users", name=hostname, usertype=koji.USERTYPES["HOST"])
    else:
        user_id = user["id"]
        ctx.db.run("UPDATE users SET usertype = ? WHERE id = ?", (koji.USERTYPES["HOST"], user_id))
    host_id = ctx.db.insert("host", user_id=user_id, name=hostname, arches=listed)
    ctx.db.insert("host_channels", host_id=host_id, channel_id=1)
    return host_id


@exported("editHost")
def edit_host(ctx: Context, hostInfo: Any, **changes: Any) -> bool:
    """Change arches, capacity, description or comment; whether anything changed."""
    ctx.assert_perm("host")
    host = get_host(ctx, hostInfo, strict=True)
    assert host is not None
    fields = ("arches", "capacity", "description", "comment")
    changed = {name: changes[name] for name in fields if name in changes and changes[name] != host[name]}
    for name, value in changed.items():
        ctx.db.run(f"UPDATE host SET {name} = ? WHERE id = ?", (value, host["id"]))  # noqa: S608 - one of the fields above
    return bool(changed)


@exported("enableHost")
def enable_host(ctx: Context, hostname: Any) -> None:
    """Let it take tasks."""
    ctx.assert_perm("host")
    ctx.db.run("UPDATE host SET enabled = 1 WHERE id = ?", (_existing(ctx, hostname)["id"],))


@exported("disableHost")
def disable_host(ctx: Context, hostname: Any) -> None:
    """Give it no more tasks."""
    ctx.assert_perm("host")
    ctx.db.run("UPDATE host SET enabled = 0 WHERE id = ?", (_existing(ctx, hostname)["id"],))


@exported("listHosts")
def list_hosts(
    ctx: Context,
    arches: Any = None,
    channelID: Any = None,
    ready: bool | None = None,
    enabled: bool | None = None,
    userID: Any = None,
    queryOpts: Any = None,
) -> list[dict[str, Any]]:
    """Hosts, filtered."""
    hosts = ctx.db.rows(f"SELECT {_COLUMNS} FROM host ORDER BY id")  # noqa: S608 - constant columns
    if channelID is not None:
        channel = _channel(ctx, channelID)["id"]
        members = ctx.db.rows("SELECT host_id FROM host_channels WHERE channel_id = ?", (channel,))
        ids = {row["host_id"] for row in members}
        hosts = [host for host in hosts if host["id"] in ids]
    if arches is not None:
        wanted = {arches} if isinstance(arches, str) else set(arches)
        hosts = [host for host in hosts if wanted & set((host["arches"] or "").split())]
    if userID is not None:
        column, value = name_or_id(userID)
        user = ctx.db.value(f"SELECT id FROM users WHERE {column} = ?", (value,))  # noqa: S608 - one of two columns
        hosts = [host for host in hosts if host["user_id"] == user]
    hosts = [host for host in hosts if ready is None or host["ready"] is bool(ready)]
    return [host for host in hosts if enabled is None or host["enabled"] is bool(enabled)]


@exported("getLastHostUpdate")
def get_last_host_update(ctx: Context, hostID: int, ts: bool = False) -> Any:
    """When a session of the host's user was last used; None for never."""
    found = ctx.db.value(
        "SELECT max(sessions.update_time) FROM sessions JOIN host ON host.user_id = sessions.user_id WHERE host.id = ?",
        (convert(hostID, int),),
    )
    return found if ts or found is None else isoformat(found)


@exported("getAllArches")
def get_all_arches(ctx: Context) -> list[str]:
    """Canonical arches of all hosts."""
    found = ctx.db.rows("SELECT arches FROM host WHERE arches IS NOT NULL")
    return sorted({koji.canonArch(arch) for row in found for arch in row["arches"].split()})


@exported("getChannel")
def get_channel(ctx: Context, channelInfo: Any, strict: bool = False) -> dict[str, Any] | None:
    """A channel by id, name or dict."""
    column, wanted = name_or_id(channelInfo)
    sql = f"SELECT {_CHANNEL_COLUMNS} FROM channels WHERE {column} = ?"  # noqa: S608 - one of two columns
    row = ctx.db.row(sql, (wanted,))
    return require(row) if strict else row


def _channel(ctx: Context, info: Any) -> dict[str, Any]:
    row = get_channel(ctx, info)
    if row is None:
        raise koji.GenericError(f"No such entry in table channels: {info}")
    return row


@exported("listChannels")
def list_channels(
    ctx: Context, hostID: Any = None, event: int | None = None, enabled: bool | None = None
) -> list[dict[str, Any]]:
    """All channels, or those of a host."""
    rows = ctx.db.rows(f"SELECT {_CHANNEL_COLUMNS} FROM channels ORDER BY id")  # noqa: S608 - constant columns
    if hostID:
        host = get_host(ctx, hostID, strict=True)
        assert host is not None
        members = ctx.db.rows("SELECT channel_id FROM host_channels WHERE host_id = ?", (host["id"],))
        ids = {row["channel_id"] for row in members}
        rows = [row for row in rows if row["id"] in ids]
    return [row for row in rows if enabled is None or row["enabled"] is bool(enabled)]


@exported("addChannel")
def add_channel(ctx: Context, channel_name: str, description: str | None = None) -> int:
    """A new channel."""
    ctx.assert_perm("admin")
    if get_channel(ctx, channel_name):
        raise koji.GenericError(f"channel {channel_name} already exists")
    return ctx.db.insert("channels", name=channel_name, description=description)


@exported("enableChannel")
def enable_channel(ctx: Context, channelname: str, comment: str | None = None) -> None:
    """Let its tasks be assigned."""
    ctx.assert_perm("admin")
    ctx.db.run("UPDATE channels SET enabled = 1 WHERE id = ?", (_channel(ctx, channelname)["id"],))


@exported("disableChannel")
def disable_channel(ctx: Context, channelname: str, comment: str | None = None) -> None:
    """Assign none of its tasks."""
    ctx.assert_perm("admin")
    ctx.db.run("UPDATE channels SET enabled = 0 WHERE id = ?", (_channel(ctx, channelname)["id"],))


@exported("addHostToChannel")
def add_host_to_channel(
    ctx: Context, hostname: Any, channel_name: str, create: bool = False, force: bool = False
) -> None:
    """Let a host take the tasks of a channel."""
    ctx.assert_perm("host")
    host = _existing(ctx, hostname)
    channel = get_channel(ctx, channel_name)
    if channel is None and not create:
        raise koji.GenericError(f"channel does not exist: {channel_name}")
    channel_id = channel["id"] if channel else ctx.db.insert("channels", name=channel_name)
    if channel_id in {row["id"] for row in list_channels(ctx, host["id"])}:
        raise koji.GenericError(f"host {hostname} is already subscribed to the {channel_name} channel")
    ctx.db.insert("host_channels", host_id=host["id"], channel_id=channel_id)


@exported("removeHostFromChannel")
def remove_host_from_channel(ctx: Context, hostname: Any, channel_name: str) -> None:
    """Keep the tasks of a channel from a host."""
    ctx.assert_perm("host")
    host = _existing(ctx, hostname)
    channel = get_channel(ctx, channel_name)
    if channel is None:
        raise koji.GenericError(f"channel does not exist: {channel_name}")
    values = (host["id"], channel["id"])
    if not ctx.db.run("DELETE FROM host_channels WHERE host_id = ? AND channel_id = ?", values):
        raise koji.GenericError(f"host {hostname} is not subscribed to the {channel_name} channel")
