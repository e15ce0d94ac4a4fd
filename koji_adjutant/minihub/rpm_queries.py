# ruff: noqa: N803 - signatures are the hub's API
"""What stands in the headers of packages: changelogs for notifications, and any header for people."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import koji

from koji_adjutant.errors import HubError
from koji_adjutant.minihub.builds import get_build, strict_build
from koji_adjutant.minihub.context import Context, apply_query_options, exported
from koji_adjutant.minihub.rpm_file import RpmFile, read_rpm
from koji_adjutant.minihub.rpms import find_rpm, list_rpms

# Headers people and the `koji` command ask for, and the numbers rpm has for them.
_TAGS = {
    "name": 1000, "version": 1001, "release": 1002, "epoch": 1003, "summary": 1004, "description": 1005,
    "buildtime": 1006, "buildhost": 1007, "size": 1009, "license": 1014, "group": 1016, "url": 1020, "os": 1021,
    "arch": 1022, "sourcerpm": 1044, "optflags": 1122, "buildarchs": 1089, "exclusivearch": 1061, "excludearch": 1059,
    "requires": 1049, "provides": 1047, "obsoletes": 1090, "conflicts": 1054, "changelogtime": 1080,
    "changelogname": 1081, "changelogtext": 1082,
}  # fmt: skip
_LISTS = frozenset(
    {"buildarchs", "exclusivearch", "excludearch", "requires", "provides", "obsoletes", "conflicts"}
    | {"changelogtime", "changelogname", "changelogtext"}
)


def _task_file(ctx: Context, task_id: int, filepath: str | None) -> Path:
    if not filepath:
        raise koji.GenericError("filepath must be specified with taskID")
    if filepath.startswith("/") or "../" in filepath:
        raise koji.GenericError(f"Invalid filepath: {filepath}")
    return ctx.state.task_directory(task_id) / filepath


def _source_package(ctx: Context, build_id: Any, *, strict: bool) -> Path | None:
    build = get_build(ctx, build_id)
    if build is None:
        if strict:
            raise koji.GenericError(f"No such build: {build_id}")
        return None
    sources = list_rpms(ctx, buildID=build["id"], arches="src")
    if not sources:
        if strict:
            raise koji.GenericError(f"Build {build_id} doesn't have srpms")
        return None
    return ctx.state.rpm_path(build, sources[0])


@exported("getChangelogEntries")
def get_changelog_entries(
    ctx: Context, buildID: Any = None, taskID: int | None = None, filepath: str | None = None,
    author: str | None = None, before: Any = None, after: Any = None, queryOpts: Any = None, strict: bool = False,
) -> Any:  # fmt: skip
    """Changelog of a build or of a file of a task, newest first."""
    if not buildID and not taskID:
        raise koji.GenericError("either buildID or taskID and filepath must be specified")
    path = _source_package(ctx, buildID, strict=strict) if buildID else _task_file(ctx, taskID or 0, filepath)
    if path is None or not path.exists():
        if strict:
            raise koji.GenericError(f"SRPM {path} doesn't exist")
        return apply_query_options([], queryOpts)
    earliest, latest = (_moment(value) for value in (after, before))
    found = [
        {"date": datetime.fromtimestamp(time).isoformat(" "), "date_ts": time, "author": name, "text": text}  # noqa: DTZ006 - the real hub's local time
        for time, name, text in _read(path).changelog()
        if (not author or author == name)
        and (latest is None or time < latest)
        and (earliest is None or time > earliest)
    ]
    return apply_query_options(found, queryOpts)


def _moment(value: Any) -> float | None:
    if value is None:
        return None
    return float(koji.util.parseTime(value)) if isinstance(value, str) else float(value)


def _read(path: Path) -> RpmFile:
    try:
        return read_rpm(path)
    except HubError as error:
        raise koji.GenericError(error.brief) from error


@exported("getRPMHeaders")
def get_rpm_headers(
    ctx: Context, rpmID: Any = None, taskID: int | None = None, filepath: str | None = None,
    headers: list[str] | None = None, strict: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Headers of an rpm or of a file of a task; {} for one that is not here, unless strict."""
    if not rpmID and not taskID:
        raise koji.GenericError("either rpmID or taskID and filepath must be specified")
    path = _rpm_path(ctx, rpmID, strict=strict) if rpmID else _task_file(ctx, taskID or 0, filepath)
    if path is None or not path.exists():
        if strict:
            raise koji.GenericError(f"Missing rpm file: {path}")
        return {}
    rpm = _read(path)
    return {name: _header(rpm, name.lower()) for name in headers or []}


def _rpm_path(ctx: Context, rpm_id: Any, *, strict: bool) -> Path | None:
    rpm = find_rpm(ctx, rpm_id)
    if rpm is None or rpm["external_repo_id"]:
        if strict:
            raise koji.GenericError(f"No such rpm: {rpm_id}" if rpm is None else f"External rpm: {rpm['id']}")
        return None
    return ctx.state.rpm_path(strict_build(ctx, rpm["build_id"]), rpm)


def _header(rpm: RpmFile, name: str) -> Any:
    if name not in _TAGS:
        raise koji.GenericError(f"No such rpm header field: {name}")
    values = rpm.values(_TAGS[name])
    return values if name in _LISTS else values[0] if values else None
