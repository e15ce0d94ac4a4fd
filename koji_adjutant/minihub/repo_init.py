"""`host.repoInit` and `host.repoDone`: the directory of a repo before createrepo, and its place afterwards.

Lists of packages are written as the real hub writes them (contract 6.1): pkglist, blocklist, rpmlist.jsonl, toplink,
groups/comps.xml and repo.json.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import koji
import koji.util

from koji_adjutant.minihub import repo_states
from koji_adjutant.minihub.context import Context, convert, exported, require
from koji_adjutant.minihub.host_calls import verified_host
from koji_adjutant.minihub.maven_tags import link_artifacts
from koji_adjutant.minihub.package_lists import package_list
from koji_adjutant.minihub.repo_options import options_of
from koji_adjutant.minihub.repos import INIT, strict_repo
from koji_adjutant.minihub.tagged import list_tagged_rpms
from koji_adjutant.minihub.tags import get_tag_groups, strict_tag


def init_repo(
    ctx: Context, tag: Any, *, task_id: int | None = None, event: int | None = None, opts: Any = None
) -> tuple[int, int]:
    """A repo in state INIT with its directory; ids of repo and event. The tag is as it was at the event."""
    info = strict_tag(ctx, tag)
    options, custom = options_of(ctx, info, opts)
    if options["maven"] and not ctx.state.options.enable_maven:
        raise koji.GenericError("Maven support not enabled")
    if event is not None:
        require(ctx.db.row("SELECT id FROM events WHERE id = ?", (event,)))
    event_id = event or ctx.state.new_event()
    now = ctx.now()
    repo_id = ctx.db.insert(
        "repo", tag_id=info["id"], state=INIT, create_event=event_id, creation_time=now, state_time=now,
        task_id=task_id, opts=json.dumps(options), custom_opts=json.dumps(custom),
    )  # fmt: skip
    directory = Path(ctx.state.paths.repo(repo_id, info["name"]))
    (directory / "groups").mkdir(parents=True)
    comps = koji.generate_comps(get_tag_groups(ctx, info["id"]), expand_groups=True)
    (directory / "groups" / "comps.xml").write_text(comps, encoding="utf-8")
    description = {
        "id": repo_id, "tag": info["name"], "tag_id": info["id"], "task_id": task_id, "event_id": event_id,
        "opts": options, "custom_opts": custom, "with_src": options["src"],
        "with_separate_src": options["separate_src"], "with_debuginfo": options["debuginfo"],
    }  # fmt: skip
    (directory / "repo.json").write_text(json.dumps(description, indent=2), encoding="utf-8")
    _write_lists(ctx, info, directory, event_id, options)
    if options["maven"]:
        link_artifacts(ctx, info["id"], directory / "maven", event_id)
    return repo_id, event_id


def _write_lists(
    ctx: Context, tag: dict[str, Any], directory: Path, event: int, options: Mapping[str, bool]
) -> None:  # fmt: skip
    arches = dict.fromkeys(koji.canonArch(arch) for arch in (tag["arches"] or "").split())
    names = [arch for arch in arches if arch not in ("src", "noarch")] + ["src"] * options["separate_src"]
    latest = not tag["extra"].get("repo_include_all", False)
    rpms, builds = list_tagged_rpms(ctx, tag["id"], event, inherit=True, latest=latest)
    paths = koji.PathInfo(topdir="toplink")
    where = {build["id"]: paths.build(build) for build in builds}
    lists: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for rpm in rpms:
        if options["debuginfo"] or not koji.is_debuginfo(rpm["name"]):
            for arch in _arches_of(rpm["arch"], names, options):
                lists[arch].append(rpm)
    blocked = [row["package_name"] for row in package_list(ctx, tag["id"]).values() if row["blocked"]]
    for arch, listed in lists.items():
        target = directory / arch
        target.mkdir()
        (target / "toplink").symlink_to(os.path.relpath(ctx.state.topdir, target))
        _write(target / "pkglist", (f"{where[rpm['build_id']]}/{paths.rpm(rpm)}" for rpm in listed))
        _write(target / "rpmlist.jsonl", (json.dumps(rpm) for rpm in listed))
        _write(target / "blocklist", iter(blocked))


def _arches_of(arch: str, names: list[str], options: Mapping[str, bool]) -> list[str]:
    """Directories of a repo that an rpm goes into."""
    if arch == "src":
        return [name for name in names if options["src"] or name == "src"]
    if arch == "noarch":
        return [name for name in names if name != "src"]
    return [name for name in names if name == koji.canonArch(arch)]


def _write(path: Path, lines: Iterator[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@exported("host.repoInit")
def host_repo_init(
    ctx: Context, tag: Any, task_id: int | None = None, event: int | None = None, opts: Any = None
) -> tuple[int, int]:
    """A new repo; its id and event."""
    verified_host(ctx)
    return init_repo(
        ctx, tag, task_id=convert(task_id, int, none_allowed=True), event=convert(event, int, none_allowed=True),
        opts=opts,
    )  # fmt: skip


@exported("host.repoDone")
def host_repo_done(
    ctx: Context, repo_id: int, data: dict[str, Any], expire: bool = False, repo_json_updates: Any = None
) -> None:
    """READY, with the files that were uploaded for each arch; those of a dist repo are in place already."""
    verified_host(ctx)
    repo = strict_repo(ctx, repo_id)
    if not isinstance(data, dict):
        raise koji.ParameterError(f"Invalid type for value '{data}': {type(data)}, expected type {dict}")
    if repo["state"] != INIT:
        raise koji.GenericError(f"Repo {repo['id']} not in INIT state (got {repo['state']})")
    directory = Path(ctx.state.paths.repo(repo_id, repo["tag_name"]))
    if repo_json_updates:
        path = directory / "repo.json"
        path.write_text(json.dumps(json.loads(path.read_bytes()) | repo_json_updates, indent=2), encoding="utf-8")
    for arch, (upload, files) in data.items() if not repo["dist"] else ():
        _move(ctx.state.work / upload, directory / koji.canonArch(arch), files)
    if expire:
        repo_states.set_state(ctx, repo_id, koji.REPO_STATES["EXPIRED"])
        return
    repo_states.set_state(ctx, repo_id, koji.REPO_STATES["READY"])
    repo_states.point_latest(ctx, repo)


def _move(upload: Path, directory: Path, files: list[str]) -> None:
    if not directory.is_dir():
        raise koji.GenericError(f"Repo arch directory missing: {directory}")
    (directory / "repodata").mkdir(exist_ok=True)
    for name in files:
        source = upload / name
        if not source.exists():
            raise koji.GenericError(f"uploaded file missing: {source}")
        koji.util.safer_move(str(source), str(directory / ("" if name.endswith("pkglist") else "repodata") / name))
