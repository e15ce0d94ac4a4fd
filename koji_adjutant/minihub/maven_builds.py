"""Maven builds as builders make them (contract 4.4, 7.4)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import koji
import koji.util

from koji_adjutant.minihub import archives, build_records, imports, notifications, tasks
from koji_adjutant.minihub.archive_types import type_of
from koji_adjutant.minihub.builds import BUILDING, get_maven_build, strict_build
from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.host_calls import verified_host, verified_task
from koji_adjutant.minihub.users import get_user

_FIELDS = ("group_id", "artifact_id", "version")
_SUMS = {".md5": hashlib.md5, ".sha1": hashlib.sha1}


def assert_maven(ctx: Context) -> None:
    """GenericError where Maven is off."""
    if not ctx.state.options.enable_maven:
        raise koji.GenericError("Maven support not enabled")


def _add_info(ctx: Context, build_id: int, info: dict[str, Any]) -> None:
    known = get_maven_build(ctx, build_id)
    for name in _FIELDS:
        if known is not None and known[name] != info[name]:
            raise koji.BuildError(f"{name} mismatch (current: {known[name]}, new: {info[name]})")
        if name not in info:
            raise koji.GenericError(f"Maven info doesn't have mandatory '{name}' key")
    build_records.add_type(ctx, build_id, "maven", {name: info[name] for name in _FIELDS})


@exported("host.initMavenBuild")
def init_maven_build(
    ctx: Context, task_id: int, build_info: dict[str, Any], maven_info: dict[str, Any]
) -> dict[str, Any]:
    """A Maven build begins, with the next release; its data and id."""
    assert_maven(ctx)
    _host, wanted = verified_task(ctx, task_id)
    owner = tasks.existing(ctx.state, wanted)["owner"]
    begun = {"release": None, "task_id": wanted, "owner": owner, "state": BUILDING, "completion_time": None}
    data = build_records.next_build(ctx, build_info | begun)
    _add_info(ctx, data["id"], maven_info)
    return data


@exported("host.createMavenBuild")
def host_create_maven_build(ctx: Context, build_info: dict[str, Any], maven_info: dict[str, Any]) -> None:
    """Say that a build is of Maven too."""
    verified_host(ctx)
    assert_maven(ctx)
    _add_info(ctx, build_info["id"], maven_info)


@exported("host.completeMavenBuild")
def complete_maven_build(
    ctx: Context, task_id: int, build_id: int, maven_results: dict[str, Any], rpm_results: dict[str, Any] | None
) -> None:
    """Import what was built, with wrapper rpms if there are any; the build is COMPLETE then."""
    assert_maven(ctx)
    _host, wanted = verified_task(ctx, task_id)
    build = strict_build(ctx, build_id)
    info = get_maven_build(ctx, build_id, strict=True)
    assert info is not None
    directory = ctx.state.task_directory(maven_results["task_id"])
    for relative, files in maven_results["files"].items():
        _import_directory(ctx, build, info, directory, relative, files, maven_results["buildroot_id"])
    for log in maven_results["logs"]:
        imports.import_log(ctx, directory / log, build, "maven")
    if rpm_results:
        imports.import_wrapper(ctx, rpm_results["task_id"], build, rpm_results)
    build_records.mark_complete(ctx, build_id)
    notifications.build_notification(ctx, wanted, build_id)


def _import_directory(
    ctx: Context, build: dict[str, Any], info: dict[str, Any], top: Path, relative: str, files: list[str],
    buildroot_id: int | None,
) -> None:  # fmt: skip
    poms = [name for name in files if name.endswith(".pom")]
    if len(poms) > 1:
        raise koji.BuildError(f"multiple .pom files in {relative}: {', '.join(poms)}")
    named = {name: info[name] for name in _FIELDS}
    if poms:
        named = koji.pom_to_maven_info(koji.parse_pom(str(top / relative / poms[0])))
    home = Path(str(ctx.state.paths.mavenbuild(build)))
    target = home / str(ctx.state.paths.mavenrepo(named))
    for name in files:
        path = top / relative / name
        if path.suffix in _SUMS:
            continue
        if name == "maven-metadata.xml":
            imports.place(path, home / relative / name)
            write_sums(home / relative)
            continue
        kind = type_of(name)
        if kind is None:
            raise koji.BuildError(f"unsupported file type: {name}")
        if kind["name"] == "pom" and name != "{artifact_id}-{version}.pom".format_map(named):
            raise koji.BuildError(f"Maven info ({koji.mavenLabel(named)}) is not consistent with pom filename ({name})")
        archives.import_archive(ctx, path, build, "maven", named, target, buildroot_id)
        write_sums(target)


def write_sums(directory: Path) -> None:
    """md5 and sha1 of every file beside it, as Maven repositories have them."""
    for path in sorted(directory.iterdir()):
        if path.suffix in _SUMS or not path.is_file():
            continue
        for suffix, algorithm in _SUMS.items():
            beside = path.with_name(path.name + suffix)
            if not beside.exists():
                beside.write_text(algorithm(path.read_bytes(), usedforsecurity=False).hexdigest(), encoding="ascii")


@exported("host.moveMavenBuildToScratch")
def move_maven_build_to_scratch(
    ctx: Context, task_id: int, results: dict[str, Any], rpm_results: dict[str, Any] | None
) -> None:
    """Keep what a scratch build made, for its owner."""
    assert_maven(ctx)
    _host, wanted = verified_task(ctx, task_id)
    top = scratch_directory(ctx, wanted, wanted)
    source = ctx.state.task_directory(results["task_id"])
    for relative, files in [*results["files"].items(), ("", results["logs"])]:
        for name in files:
            move(source / relative / name, top / relative / name)
    if rpm_results:
        move_wrapper(ctx, rpm_results, top)


def scratch_directory(ctx: Context, owned: int, named: int) -> Path:
    """scratch/USER/task_N of a task `named`, for the owner of the task `owned`."""
    user = get_user(ctx, tasks.existing(ctx.state, owned)["owner"], strict=True)
    assert user is not None
    return Path(str(ctx.state.paths.scratch()), str(user["name"]), f"task_{named}")


def move_wrapper(ctx: Context, results: dict[str, Any], top: Path) -> None:
    """Move wrapper rpms below `top`/rpms."""
    source = ctx.state.task_directory(results["task_id"])
    for name in (results["srpm"], *results["rpms"], *results["logs"]):
        move(source / name, top / "rpms" / name)


def move(source: Path, target: Path) -> None:
    """A link stays where the file was."""
    koji.util.move_and_symlink(str(source), str(target), create_dir=True)
