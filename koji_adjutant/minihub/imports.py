"""Files of a build, from a task's directory into packages/, each checked as the real hub checks it (contract 7.3)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import koji
import koji.util

from koji_adjutant.errors import HubError
from koji_adjutant.minihub import build_records
from koji_adjutant.minihub.builds import strict_build
from koji_adjutant.minihub.context import Context
from koji_adjutant.minihub.rpm_file import RpmFile, read_rpm

Logs = Mapping[str, Sequence[str]]


def work_path(ctx: Context, relative: str) -> Path:
    """Where an uploaded file is; GenericError when it is not there."""
    path = ctx.state.work / relative
    if not path.exists():
        raise koji.GenericError(f"No such file: {path}")
    return path


def header_of(path: Path) -> RpmFile:
    """Headers of an uploaded package; GenericError when it is none."""
    try:
        return read_rpm(path)
    except HubError as error:
        raise koji.GenericError(error.brief) from error


def without_doubles(ctx: Context, rpms: Iterable[str], logs: Logs | None) -> list[str]:
    """One path for each noarch package, after a look at the hashes whether those of several arches are the same."""
    kept: list[str] = []
    noarch: dict[str, list[str]] = {}
    for relative in rpms:
        name = os.path.basename(relative)
        if name.endswith(".noarch.rpm"):
            noarch.setdefault(name, []).append(relative)
        if noarch.get(name, [relative])[0] == relative:
            kept.append(relative)
    hashes = _noarch_hashes(ctx, logs or {})
    for doubles in noarch.values():
        for other in doubles[1:]:
            _assert_same(ctx, doubles[0], other, hashes)
    return kept


def _noarch_hashes(ctx: Context, logs: Logs) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for relative in (path for files in logs.values() for path in files):
        if os.path.basename(relative) == "noarch_rpmdiff.json":
            found |= json.loads(work_path(ctx, relative).read_bytes())
    return found


def _assert_same(ctx: Context, first: str, other: str, hashes: dict[str, dict[str, str]]) -> None:
    """Hashes are found by the second part of a path, `id % 10000`, and one missing is an error: as in the real hub."""
    name = os.path.basename(first)
    known = hashes.get(first.split("/")[1], {}).get(name)
    if known and known == hashes[other.split("/")[1]][name]:
        return
    if header_of(work_path(ctx, first)).differs_from(header_of(work_path(ctx, other))):
        raise koji.BuildError(
            f"The following noarch package built differently on different architectures: {name}\nrpmdiff output was:\n"
        )


def import_build(
    ctx: Context, srpm: str, rpms: list[str], brmap: Mapping[str, int], task_id: int, build_id: int, logs: Logs
) -> dict[str, Any]:
    """Complete a build with its packages and logs; the build as it is then."""
    for relative in (srpm, *rpms):
        work_path(ctx, relative)
    kept = without_doubles(ctx, rpms, logs)
    for buildroot in dict.fromkeys(brmap.values()):
        if ctx.db.value("SELECT 1 FROM buildroot WHERE id = ?", (buildroot,)) is None:
            raise koji.GenericError(f"no buildroot with ID: {buildroot}")
    build = strict_build(ctx, build_id)
    _assert_matches(ctx, srpm, task_id, build)
    build_records.complete(ctx, build)
    build = strict_build(ctx, build_id)
    for relative in (srpm, *kept):
        import_rpm(ctx, work_path(ctx, relative), build, brmap.get(relative))
    for key, files in logs.items():
        for relative in files:
            import_log(ctx, ctx.state.work / relative, build, key)
    return build


def _assert_matches(ctx: Context, srpm: str, task_id: int, build: dict[str, Any]) -> None:
    path = work_path(ctx, srpm)
    source = header_of(path)
    if not source.is_source:
        raise koji.GenericError(f"not a source package: {path}")
    found = source.fields | {"task_id": task_id}
    if build["draft"]:
        found["release"] = koji.gen_draft_release(found["release"], build["id"])
    for key in ("name", "version", "release", "epoch", "task_id"):
        if found[key] != build[key]:
            raise koji.GenericError(
                f"Unable to complete build: {key} mismatch (build: {build[key]}, rpm: {found[key]})"
            )


def import_rpm(
    ctx: Context,
    path: Path,
    build: dict[str, Any],
    buildroot_id: int | None,
    *,
    wrapper: bool = False,
    move: bool = True,
) -> int:
    """One package of a build; its id. A wrapper rpm need not be of the build's own source package."""
    if not path.exists():
        raise koji.GenericError(f"No such file: {path}")
    rpm = header_of(path)
    fields = rpm.fields
    expected = "{name}-{version}-{release}.{arch}.rpm".format_map(fields)
    if path.name != expected:
        raise koji.GenericError(f"bad filename: {path.name} (expected {expected})")
    release = koji.parse_target_release(build["release"]) if build["draft"] else build["release"]
    source = f"{build['name']}-{build['version']}-{release}.src.rpm"
    named = path.name if rpm.is_source else rpm.sourcerpm
    if not wrapper and named != source:
        raise koji.GenericError(f"srpm mismatch for {path}: {named} (expected {source})")
    state = koji.BUILD_STATES[build["state"]]
    if state in ("FAILED", "CANCELED", "DELETED"):
        raise koji.GenericError(f"Build is {state}: {build['nvr']}")
    build_records.add_type(ctx, build["id"], "rpm")
    rpm_id = ctx.db.insert(
        "rpminfo", build_id=build["id"], buildroot_id=buildroot_id, draft=build["draft"], external_repo_id=0, **fields
    )
    place(path, ctx.state.rpm_path(build, fields), move=move)
    _keep_signature(ctx, rpm, rpm_id, build)
    return rpm_id


def place(path: Path, target: Path, *, move: bool = True) -> None:
    """Put an uploaded file where it is to stay; a link stays where it was."""
    if target.exists():
        raise koji.GenericError(f"Error importing archive file, {target} already exists")
    if path.is_symlink() or not path.is_file():
        raise koji.GenericError(f"Error importing archive file, {path} is not a regular file")
    if move:
        koji.util.move_and_symlink(str(path), str(target), create_dir=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _keep_signature(ctx: Context, rpm: RpmFile, rpm_id: int, build: dict[str, Any]) -> None:
    ctx.db.insert("rpmsigs", rpm_id=rpm_id, sigkey=rpm.sigkey, sighash=rpm.sighash)
    header = ctx.state.build_directory(build) / ctx.state.paths.sighdr(rpm.fields, rpm.sigkey)
    header.parent.mkdir(parents=True, exist_ok=True)
    header.write_bytes(rpm.raw_signature)


def import_log(ctx: Context, path: Path, build: dict[str, Any], directory: str) -> None:
    """One log of a build, into `directory` below its logs."""
    target = Path(ctx.state.paths.build_logs(build)) / (directory or "") / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise koji.GenericError(f"Error importing build log. {target} already exists.")
    if path.is_symlink() or not path.is_file():
        raise koji.GenericError(f"Error importing build log. {path} is not a regular file.")
    koji.util.move_and_symlink(str(path), str(target))


def import_wrapper(ctx: Context, task_id: int, build: dict[str, Any], results: dict[str, Any]) -> None:
    """Wrapper rpms and their logs, from the directory of the task that made them."""
    directory = ctx.state.task_directory(task_id)
    for name in (results["srpm"], *results["rpms"]):
        import_rpm(ctx, directory / name, build, results["buildroot_id"], wrapper=True)
    for name in results["logs"]:
        import_log(ctx, directory / name, build, "noarch")
