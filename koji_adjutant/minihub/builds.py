# ruff: noqa: ARG001, N803 - signatures are the hub's API
"""Builds, as clients and builders ask for them."""

from __future__ import annotations

import os
from datetime import datetime
from fnmatch import fnmatch
from typing import Any

import koji

from koji_adjutant.minihub.context import Context, apply_query_options, convert, exported, isoformat
from koji_adjutant.minihub.hosts import name_or_id
from koji_adjutant.minihub.users import find_user, get_user

COMPLETE, BUILDING, FAILED, CANCELED = (
    koji.BUILD_STATES[name] for name in ("COMPLETE", "BUILDING", "FAILED", "CANCELED")
)
_MONTH = 30.44 * 86400  # seconds

COLUMNS = """
build.id, build.id AS build_id, build.version, build.release, build.epoch, build.draft, build.state, build.task_id,
build.source, build.extra, build.start_time AS start_ts, build.completion_time AS completion_ts,
build.promotion_time AS promotion_ts, born.id AS creation_event_id, born.time AS creation_ts,
package.id AS package_id, package.name AS package_name, package.name AS name,
package.name || '-' || build.version || '-' || build.release AS nvr,
owner.id AS owner_id, owner.name AS owner_name, promoter.id AS promoter_id, promoter.name AS promoter_name
"""
TABLES = """
build JOIN events born ON born.id = build.create_event JOIN package ON package.id = build.pkg_id
JOIN users owner ON owner.id = build.owner LEFT JOIN users promoter ON promoter.id = build.promoter
"""


def described(row: dict[str, Any]) -> dict[str, Any]:
    """A build row as the API shows it: each time twice, and the one volume there is."""
    for name in ("start", "completion", "promotion", "creation"):
        row[f"{name}_time"] = isoformat(row[f"{name}_ts"])
    return row | {"volume_id": 0, "volume_name": "DEFAULT"}


@exported("findBuildID")
def find_build(ctx: Context, X: Any, strict: bool = False) -> int | None:
    """Id of a build by id, N-V-R or dict; None (the fault, if strict) when there is none."""
    if isinstance(X, int):
        return X
    if not isinstance(X, (str, dict)):
        raise koji.GenericError(f"Invalid type for argument: {type(X)!r}")
    data = koji.parse_NVR(X) if isinstance(X, str) else X
    if not {"name", "version", "release"} <= data.keys():
        raise koji.GenericError("did not provide name, version, and release")
    found = ctx.db.value(
        "SELECT build.id FROM build JOIN package ON package.id = pkg_id WHERE name = ? AND version = ? AND release = ?",
        [data[key] for key in ("name", "version", "release")],
    )
    if found is None and strict:
        raise koji.GenericError(f"No such build: {X!r}")
    return None if found is None else int(found)


@exported("getBuild")
def get_build(ctx: Context, buildInfo: Any, strict: bool = False) -> dict[str, Any] | None:
    """A build, or None."""
    build_id = find_build(ctx, buildInfo, strict)
    if build_id is None:
        return None
    row = ctx.db.row(f"SELECT {COLUMNS} FROM {TABLES} WHERE build.id = ?", (build_id,))  # noqa: S608 - constants
    if row is None and strict:
        raise koji.GenericError(f"No such build: {buildInfo}")
    return None if row is None else described(row) | {"cg_id": None, "cg_name": None}


def strict_build(ctx: Context, info: Any) -> dict[str, Any]:
    """A build that must be there."""
    found = get_build(ctx, info, strict=True)
    assert found is not None
    return found


@exported("listBuilds")
def list_builds(
    ctx: Context, packageID: Any = None, userID: Any = None, taskID: int | None = None, prefix: str | None = None,
    state: int | None = None, volumeID: int | None = None, source: str | None = None, createdBefore: Any = None,
    createdAfter: Any = None, completeBefore: Any = None, completeAfter: Any = None, type: str | None = None,  # noqa: A002 - API
    typeInfo: Any = None, queryOpts: Any = None, pattern: str | None = None, cgID: Any = None,
    draft: bool | None = None, promotedBefore: Any = None, promotedAfter: Any = None, promoter: Any = None,
) -> Any:  # fmt: skip
    """Builds, filtered."""
    clauses, values = ["1 = 1"], []
    owner = find_user(ctx, userID) if userID is not None else None
    package = package_id(ctx, packageID) if packageID is not None else None
    if (userID is not None and owner is None) or (packageID is not None and package is None) or cgID or promoter:
        return apply_query_options([], queryOpts)
    wanted = {"package.id": package, "build.owner": owner and owner["id"], "build.state": state, "build.draft": draft}
    for column, value in (wanted | {"build.task_id": taskID if taskID != -1 else None}).items():
        if value is not None:
            clauses.append(f"{column} = ?")
            values.append(value)
    if taskID == -1:
        clauses.append("build.task_id IS NOT NULL")
    if type is not None:
        clauses.append("build.id IN (SELECT build_id FROM build_types WHERE btype = ?)")
        values.append(type)
    limits = {
        "born.time <": createdBefore, "born.time >": createdAfter, "build.completion_time <": completeBefore,
        "build.completion_time >": completeAfter, "build.promotion_time <": promotedBefore,
        "build.promotion_time >": promotedAfter,
    }  # fmt: skip
    for test, moment in limits.items():
        if moment:
            clauses.append(f"{test} ?")
            values.append(datetime.fromisoformat(moment).timestamp() if isinstance(moment, str) else moment)
    sql = f"SELECT {COLUMNS} FROM {TABLES} WHERE {' AND '.join(clauses)} ORDER BY build.id"  # noqa: S608 - constants
    rows = [described(row) for row in ctx.db.rows(sql, values)]
    texts = {"name": prefix and f"{prefix}*", "nvr": pattern, "source": source}
    for key, glob in texts.items():
        if glob:
            rows = [row for row in rows if fnmatch((row[key] or "").lower(), glob.lower())]
    return apply_query_options([{k: v for k, v in row.items() if k != "id"} for row in rows], queryOpts)


def package_id(ctx: Context, info: Any) -> int | None:
    """Id of a package by name, id or dict."""
    column, wanted = name_or_id(info)
    found = ctx.db.value(f"SELECT id FROM package WHERE {column} = ?", (wanted,))  # noqa: S608 - one of two columns
    return None if found is None else int(found)


@exported("getAverageBuildDuration")
def get_average_build_duration(ctx: Context, package: Any, age: int | None = None) -> float | None:
    """Seconds, over the builds by tasks of the last `age` months."""
    since = 0.0 if age is None else ctx.now() - int(age) * _MONTH
    found = ctx.db.value(
        "SELECT avg(completion_time - events.time) FROM build JOIN events ON events.id = create_event "
        "WHERE pkg_id = ? AND state = ? AND task_id IS NOT NULL AND completion_time > ?",
        (package_id(ctx, package), COMPLETE, since),
    )
    return None if found is None else float(found)


@exported("getNextRelease")
def get_next_release(ctx: Context, build_info: dict[str, Any], incr: int = 1) -> str:
    """The release after the newest one of a version; BuildError for one that cannot be counted up."""
    step = convert(incr, int)
    latest = ctx.db.value(
        "SELECT release FROM build JOIN package ON package.id = pkg_id WHERE name = ? AND version = ? "
        "AND state IN (?, ?, ?) AND draft = 0 ORDER BY build.id DESC LIMIT 1",
        (build_info["name"], build_info["version"], COMPLETE, koji.BUILD_STATES["DELETED"], BUILDING),
    )
    if not latest:
        return str(step)
    parts = str(latest).split(".")
    place = {1: 0, 2: 0, 3: 2}.get(len(parts), -1)
    if place < 0 or not parts[place].isdigit():
        raise koji.BuildError(f"Unable to increment release value: {latest}")
    parts[place] = str(int(parts[place]) + step)
    return ".".join(parts)


@exported("getBuildLogs")
def get_build_logs(ctx: Context, build: Any) -> list[dict[str, str]]:
    """Log files of a build that is complete."""
    top = str(ctx.state.paths.build_logs(strict_build(ctx, build)))
    found = []
    for directory, _below, names in os.walk(top):
        shown = os.path.relpath(directory, top)
        for name in names:
            path = os.path.relpath(os.path.join(top, shown, name), ctx.state.topdir)
            found.append({"name": name, "dir": shown, "path": path})
    return found


@exported("getBuildType")
def get_build_type(ctx: Context, buildInfo: Any, strict: bool = False) -> dict[str, Any] | None:
    """Type -> what is special about it (nothing, for rpm)."""
    build = get_build(ctx, buildInfo, strict)
    if build is None:
        return None
    found = ctx.db.rows("SELECT btype, info FROM build_types WHERE build_id = ?", (build["id"],))
    return {row["btype"]: None if row["info"] is None else {"build_id": build["id"]} | row["info"] for row in found}


def _special(ctx: Context, info: Any, btype: str, *, strict: bool) -> dict[str, Any] | None:
    build = get_build(ctx, info, strict)
    row = ctx.db.row(
        "SELECT build_id, info FROM build_types WHERE build_id = ? AND btype = ?", (build and build["id"], btype)
    )
    if row is None and strict:
        raise koji.GenericError(f"no such {btype} build: {info}")
    return None if row is None else {"build_id": row["build_id"]} | (row["info"] or {})


@exported("getMavenBuild")
def get_maven_build(ctx: Context, buildInfo: Any, strict: bool = False) -> dict[str, Any] | None:
    """What is special about a Maven build; None for others."""
    return _special(ctx, buildInfo, "maven", strict=strict)


@exported("getWinBuild")
def get_win_build(ctx: Context, buildInfo: Any, strict: bool = False) -> dict[str, Any] | None:
    """The same for a Windows build."""
    return _special(ctx, buildInfo, "win", strict=strict)


@exported("getImageBuild")
def get_image_build(ctx: Context, buildInfo: Any, strict: bool = False) -> dict[str, Any] | None:
    """The same for an image."""
    return _special(ctx, buildInfo, "image", strict=strict)


@exported("setBuildOwner")
def set_build_owner(ctx: Context, build: Any, user: Any) -> None:
    """Give a build to another user: administrators."""
    ctx.assert_perm("admin")
    owner = get_user(ctx, user, strict=True)
    assert owner is not None
    ctx.db.run("UPDATE build SET owner = ? WHERE id = ?", (owner["id"], strict_build(ctx, build)["id"]))
