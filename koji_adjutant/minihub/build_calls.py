"""Builds as builders make them: begun, completed, moved to scratch, failed (contract 7.3, 7.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import koji
import koji.util

from koji_adjutant.minihub import build_records, imports, notifications, tasks
from koji_adjutant.minihub.builds import BUILDING, COMPLETE, strict_build
from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.host_calls import verified_task
from koji_adjutant.minihub.rpms import list_rpms
from koji_adjutant.minihub.users import get_user


@exported("host.initBuild")
def init_build(ctx: Context, data: dict[str, Any]) -> int:
    """A build begins, of the owner of the task; its id. Again by the same task: the same id."""
    _host, task_id = verified_task(ctx, data["task_id"])
    owner = tasks.existing(ctx.state, task_id)["owner"]
    build_id = build_records.new_build(ctx, data | {"owner": owner, "state": BUILDING, "completion_time": None})
    build_records.add_type(ctx, build_id, "rpm")
    return build_id


@exported("host.completeBuild")
def complete_build(
    ctx: Context, task_id: int, build_id: int, srpm: str, rpms: list[str], brmap: dict[str, int] | None = None,
    logs: dict[str, list[str]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Import what was built; the build, COMPLETE."""
    _host, wanted = verified_task(ctx, task_id)
    for value, kind in ((brmap or {}, dict), (srpm, str), (rpms, list)):
        if not isinstance(value, kind):
            raise koji.ParameterError(f"Invalid type for value '{value}': {type(value)}, expected type {kind}")
    found = imports.import_build(ctx, srpm, rpms, brmap or {}, wanted, build_id, logs or {})
    notifications.build_notification(ctx, wanted, build_id)
    return found


@exported("host.failBuild")
def fail_build(ctx: Context, task_id: int, build_id: int) -> None:
    """A build that was begun has failed."""
    _host, wanted = verified_task(ctx, task_id)
    build_records.fail(ctx, build_id)
    notifications.build_notification(ctx, wanted, build_id)


@exported("host.moveBuildToScratch")
def move_build_to_scratch(
    ctx: Context, task_id: int, srpm: str, rpms: list[str], logs: dict[str, list[str]] | None = None
) -> None:
    """Keep what a scratch build made, for its owner; a link stays where each file was."""
    _host, wanted = verified_task(ctx, task_id)
    for relative in (srpm, *rpms):
        imports.work_path(ctx, relative)
    kept = imports.without_doubles(ctx, rpms, logs)
    user = get_user(ctx, tasks.existing(ctx.state, wanted)["owner"], strict=True)
    assert user is not None
    top = Path(str(ctx.state.paths.scratch())) / user["name"] / f"task_{wanted}"
    top.mkdir(parents=True, exist_ok=True)
    for relative in (srpm, *kept):
        _move(imports.work_path(ctx, relative), top)
    for key, files in (logs or {}).items():
        for relative in files:
            _move(ctx.state.work / relative, top / "logs" / (key or ""))


def _move(path: Path, directory: Path) -> None:
    koji.util.move_and_symlink(str(path), str(directory / path.name), create_dir=True)


@exported("host.importWrapperRPMs")
def import_wrapper_rpms(ctx: Context, task_id: int, build_id: int, rpm_results: dict[str, Any]) -> None:
    """Add wrapper rpms to a complete build that has none yet."""
    if not ctx.state.options.enable_maven:
        raise koji.GenericError("Maven support not enabled")
    _host, wanted = verified_task(ctx, task_id)
    build = strict_build(ctx, build_id)
    if build["state"] != COMPLETE:
        state = koji.BUILD_STATES[build["state"]].lower()
        raise koji.GenericError(
            f"cannot import wrapper rpms for {koji.buildLabel(build)}: build state is {state}, not complete"
        )
    if list_rpms(ctx, buildID=build["id"]):
        raise koji.GenericError(f"wrapper rpms for {koji.buildLabel(build)} have already been imported")
    imports.import_wrapper(ctx, wanted, build, rpm_results)
