"""Dist repos: repos whose packages are links to (signed) rpms of a tag, for people to install from."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import koji
import koji.util

from koji_adjutant.minihub import cancels, tasks
from koji_adjutant.minihub.builds import strict_build
from koji_adjutant.minihub.context import Context, convert, exported
from koji_adjutant.minihub.host_calls import verified_host
from koji_adjutant.minihub.policies import assert_policy
from koji_adjutant.minihub.repos import INIT, strict_repo
from koji_adjutant.minihub.rpms import find_rpm
from koji_adjutant.minihub.tags import get_build_config, strict_tag

_PRIORITY = 15
# What a builder says of a package must be what is on record.
_SAME = ("name", "version", "release", "arch", "epoch", "size", "payloadhash", "build_id")


@exported("distRepo")
def dist_repo(ctx: Context, tag: Any, keys: list[str], **task_opts: Any) -> int:
    """A new dist repo; the id of the task that fills it. Without a policy on it anybody may, as at the real hub."""
    ctx.assert_login()
    if not ctx.has_perm("dist-repo") and not ctx.has_perm("admin"):
        assert_policy(ctx, "dist_repo", {"tag": tag})
    repo_id, event = _init(ctx, tag, keys, task_opts)
    if get_build_config(ctx, tag)["extra"].get("distrepo.cancel_others", False):
        _cancel_others(ctx, tag)
    arguments = [tag, repo_id, keys, task_opts | {"event": event}]
    return tasks.make_task(ctx, "distRepo", arguments, priority=_PRIORITY, channel="createrepo")


def _cancel_others(ctx: Context, tag: Any) -> None:
    sql = "SELECT id, request FROM task WHERE method = 'distRepo' AND state IN (?, ?, ?)"
    for row in ctx.db.rows(sql, (tasks.FREE, tasks.OPEN, tasks.ASSIGNED)):
        if tasks.decoded_request(row["request"])[0] == tag:
            cancels.cancel(ctx, row["id"])


def _init(ctx: Context, tag: Any, keys: Any, task_opts: dict[str, Any]) -> tuple[int, int]:
    if not isinstance(keys, list):
        raise koji.ParameterError(f"Invalid type for value '{keys}': {type(keys)}, expected type {list}")
    info = strict_tag(ctx, tag)
    if task_opts.get("volume") not in (None, "DEFAULT"):
        raise koji.GenericError(f"No such entry in table volume: {task_opts['volume']}")
    event = convert(task_opts.get("event"), int, none_allowed=True) or ctx.state.new_event()
    now = ctx.now()
    repo_id = ctx.db.insert(
        "repo", tag_id=info["id"], state=INIT, create_event=event, creation_time=now, state_time=now, dist=True
    )
    directory = Path(ctx.state.paths.distrepo(repo_id, info["name"]))
    for arch in {koji.canonArch(arch) for arch in task_opts["arch"]}:
        (directory / arch).mkdir(parents=True)
    if task_opts.get("comps"):
        (directory / "groups").mkdir(parents=True)
        shutil.copyfile(ctx.state.work / task_opts["comps"], directory / "groups" / "comps.xml")
    description = {
        "id": repo_id, "tag": info["name"], "tag_id": info["id"], "keys": keys, "volume": task_opts.get("volume"),
        "task_opts": task_opts,
    }  # fmt: skip
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "repo.json").write_text(json.dumps(description, indent=2), encoding="utf-8")
    return repo_id, event


@exported("host.distRepoMove")
def dist_repo_move(ctx: Context, repo_id: int, uploadpath: str, arch: str) -> None:
    """Put one arch in place: the uploaded files that `repo_manifest` names, and the packages that `kojipkgs` names."""
    verified_host(ctx)
    repo = strict_repo(ctx, repo_id)
    directory = Path(ctx.state.paths.distrepo(repo["id"], repo["tag_name"])) / koji.canonArch(arch)
    if not directory.is_dir():
        raise koji.GenericError(f"Repo arch directory missing: {directory}")
    if repo["state"] != INIT:
        raise koji.GenericError(f"Repo is in state: {koji.REPO_STATES[repo['state']]}")
    upload = ctx.state.work / uploadpath
    files, packages = (
        _uploaded(upload, "repo_manifest", "repo manifest"),
        _uploaded(upload, "kojipkgs", "kojipkgs file"),
    )
    for name in files:
        if not (upload / name).exists():
            raise koji.GenericError(f"uploaded file missing: {upload / name}")
    found = {name: _package_path(ctx, name, package) for name, package in packages.items()}
    for name in files:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        koji.util.safer_move(str(upload / name), str(directory / name))
    for name, path in found.items():
        _link(path, directory / "Packages" / name[0].lower() / name)


def _uploaded(upload: Path, name: str, shown: str) -> Any:
    try:
        return json.loads((upload / name).read_bytes())
    except OSError as error:
        raise koji.GenericError(f"Missing {shown}") from error


def _package_path(ctx: Context, name: str, package: dict[str, Any]) -> Path:
    known = find_rpm(ctx, package["id"])
    if known is None:
        raise koji.GenericError(f"No such rpm: {{'id': {package['id']}}}")
    for key in _SAME:
        if key not in package or package[key] != known[key]:
            raise koji.GenericError(f"kojipkgs entry does not match db: file {name}, key {key}")
    return ctx.state.rpm_path(strict_build(ctx, known["build_id"]), known, package["sigkey"] or "")


def _link(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise koji.GenericError(f"File already in repo: {target}")
    try:
        os.link(path, target)
    except OSError:
        shutil.copy2(path, target)
