"""Entries of builds: made, made again after a failure, ended."""

from __future__ import annotations

import json
import shutil
from typing import Any

import koji

from koji_adjutant.minihub.builds import (
    BUILDING,
    CANCELED,
    COMPLETE,
    FAILED,
    find_build,
    get_build,
    get_next_release,
    strict_build,
)
from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.users import get_user


def new_package(ctx: Context, name: str) -> int:
    """Id of a package, made if it is not there."""
    found = ctx.db.value("SELECT id FROM package WHERE name = ?", (name,))
    return int(found or ctx.db.insert("package", name=name))


def new_build(ctx: Context, data: dict[str, Any]) -> int:
    """A new entry; its id. A failed or cancelled one of the same N-V-R is used again (contract 7.4)."""
    wanted = _checked(ctx, data)
    old = get_build(ctx, wanted)
    if old is not None:
        if wanted["draft"]:
            raise koji.GenericError(f"Target build already exists: {old['nvr']} (id={old['id']})")
        _recycle(ctx, old, wanted)
        return int(old["id"])
    build_id = ctx.db.insert("build", create_event=ctx.state.new_event(), **_columns(wanted))
    if wanted["draft"]:
        release = koji.gen_draft_release(wanted["release"], build_id)
        ctx.db.run("UPDATE build SET release = ? WHERE id = ?", (release, build_id))
    return build_id


def _checked(ctx: Context, data: dict[str, Any]) -> dict[str, Any]:
    if not data.get("name"):
        raise koji.GenericError("No name or package id provided for build")
    for name in ("version", "release", "epoch"):
        if name not in data:
            raise koji.GenericError(f"No {name} value for build")
    found = {"state": COMPLETE, "task_id": None, "source": None, "extra": None, "owner": ctx.session.user_id} | data
    found |= {"start_time": ctx.now(), "draft": bool(data.get("draft")), "pkg_id": new_package(ctx, data["name"])}
    owner = get_user(ctx, found["owner"], strict=True)
    assert owner is not None
    return {"completion_time": ctx.now()} | found | {"owner": owner["id"]}


def _columns(data: dict[str, Any]) -> dict[str, Any]:
    names = ("pkg_id", "version", "release", "epoch", "draft", "state", "task_id", "owner", "start_time")
    extra = None if data["extra"] is None else json.dumps(data["extra"])
    return {name: data[name] for name in (*names, "completion_time", "source")} | {"extra": extra}


def _recycle(ctx: Context, old: dict[str, Any], data: dict[str, Any]) -> None:
    state = koji.BUILD_STATES[old["state"]]
    if state == "BUILDING" and data["state"] == old["state"] and data["task_id"] == old["task_id"]:
        return  # the same task, run again
    if state == "BUILDING":
        raise koji.GenericError(f"Build already in progress (task {old['task_id']})")
    if state not in ("FAILED", "CANCELED"):
        raise koji.GenericError(f"Build already exists (id={old['id']}, state={state}): {data!r}")
    for table, what in (("tag_listing", "tag history"), ("rpminfo", "rpm data"), ("archiveinfo", "archive data")):
        if ctx.db.value(f"SELECT 1 FROM {table} WHERE build_id = ?", (old["id"],)):  # noqa: S608 - one of three tables
            raise koji.GenericError(f"Build already exists. Unable to recycle, has {what}")
    ctx.db.run("DELETE FROM build_types WHERE build_id = ?", (old["id"],))
    changed = _columns(data) | {"create_event": ctx.state.new_event()}
    names = ", ".join(f"{name} = ?" for name in changed)
    ctx.db.run(f"UPDATE build SET {names} WHERE id = ?", (*changed.values(), old["id"]))  # noqa: S608 - columns of ours
    shutil.rmtree(ctx.state.build_directory(old), ignore_errors=True)


def next_build(ctx: Context, data: dict[str, Any]) -> dict[str, Any]:
    """A new entry whose release follows the last one unless one is named; the data with release and id."""
    release = data.get("release")
    found = data | {"release": get_next_release(ctx, data) if release is None else release}
    return found | {"id": new_build(ctx, found)}


def add_type(ctx: Context, build_id: int, btype: str, info: dict[str, Any] | None = None) -> None:
    """Say what kind of build it is; again is fine."""
    ctx.db.run(
        "INSERT OR IGNORE INTO build_types (build_id, btype, info) VALUES (?, ?, ?)",
        (build_id, btype, None if info is None else json.dumps(info)),
    )


def complete(ctx: Context, build: dict[str, Any]) -> None:
    """COMPLETE; GenericError when it is not BUILDING."""
    if build["state"] != BUILDING:
        raise koji.GenericError(f"Unable to complete build: state is {koji.BUILD_STATES[build['state']]}")
    _end(ctx, build["id"], COMPLETE)


def mark_complete(ctx: Context, build_id: int) -> None:
    """COMPLETE, whatever it was: as the real hub does for what is no rpm build."""
    _end(ctx, build_id, COMPLETE)


def fail(ctx: Context, build_id: int) -> None:
    """FAILED; GenericError when it is not BUILDING."""
    build = strict_build(ctx, build_id)
    if build["state"] != BUILDING:
        raise koji.GenericError(f"cannot update build {build['id']}, state: {koji.BUILD_STATES[build['state']]}")
    if build["completion_ts"] is not None:
        raise koji.GenericError(f"cannot update build {build['id']}, completed at {build['completion_time']}")
    _end(ctx, build["id"], FAILED)


def cancel(ctx: Context, build_id: int) -> bool:
    """CANCELED; False when it was not BUILDING."""
    if strict_build(ctx, build_id)["state"] != BUILDING:
        return False
    _end(ctx, build_id, CANCELED)
    return True


def _end(ctx: Context, build_id: int, state: int) -> None:
    ctx.db.run("UPDATE build SET state = ?, completion_time = ? WHERE id = ?", (state, ctx.now(), build_id))


@exported("createEmptyBuild")
def create_empty_build(
    ctx: Context, name: str, version: str, release: str, epoch: int | None, owner: Any = None, draft: bool = False
) -> int:
    """A COMPLETE build without anything in it: administrators."""
    ctx.assert_perm("admin")
    data = {"name": name, "version": version, "release": release, "epoch": epoch, "draft": draft}
    if not draft and find_build(ctx, data):
        raise koji.GenericError(f"Existing build found: {name}-{version}-{release}")
    return new_build(ctx, data | ({"owner": owner} if owner is not None else {}))
