"""Maven artifacts of a tag, what of them stands in a buildroot, and the Maven part of its repos."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import koji

from koji_adjutant.minihub import tasks
from koji_adjutant.minihub.archives import described_archive, list_archives
from koji_adjutant.minihub.buildroots import BUILDING, own_buildroot
from koji_adjutant.minihub.builds import strict_build
from koji_adjutant.minihub.client_tasks import task_options
from koji_adjutant.minihub.context import Context, exported
from koji_adjutant.minihub.host_calls import verified_task
from koji_adjutant.minihub.inheritance import order_of
from koji_adjutant.minihub.maven_builds import assert_maven, write_sums
from koji_adjutant.minihub.outputs import list_task_output
from koji_adjutant.minihub.repos import strict_repo
from koji_adjutant.minihub.tagged import tagged_builds
from koji_adjutant.minihub.tags import strict_tag

_NOT_SHOWN = ("info", "btype", "btype_id", "compression_type", "type_name", "type_description", "type_extensions")
_SNAPSHOT = re.compile(r"-\d{8}\.\d{6}-\d+")
_NOT_ARTIFACTS = (".log", ".md5", ".sha1")


def maven_archives(
    ctx: Context, tag_id: int, event: int | None = None, *, inherit: bool = True
) -> list[dict[str, Any]]:
    """Of each group and artifact the version tagged last, or every version where the tag includes all."""
    chosen: dict[str, dict[str, int]] = {}
    found: dict[int, dict[str, Any]] = {}
    for member in order_of(ctx, tag_id) if inherit else [tag_id]:
        every = strict_tag(ctx, member)["maven_include_all"]
        for build in tagged_builds(ctx, member, event=event, btype="maven"):
            named = _of_build(build)
            for row in _rows(ctx, build["id"]):
                versions = chosen.setdefault(f"{row['group_id']}:{row['artifact_id']}", {})
                if not versions or (every and row["version"] not in versions):
                    versions[row["version"]] = build["id"]
                if versions.get(row["version"]) == build["id"]:
                    found.setdefault(row["id"], row | named)
    return list(found.values())


def _of_build(build: dict[str, Any]) -> dict[str, Any]:
    """What an artifact of a tag says of its build and its tag."""
    found = {f"build_{name}": build[name] for name in ("name", "version", "release", "epoch")}
    same = ("tag_id", "tag_name", "state", "task_id", "volume_id", "volume_name")
    found |= {name: build[name] for name in same}
    return found | {"pkg_id": build["package_id"], "owner": build["owner_id"], "tag_event": build["create_event"]}


def _rows(ctx: Context, build_id: int) -> list[dict[str, Any]]:
    rows = ctx.db.rows("SELECT * FROM archiveinfo WHERE build_id = ? AND btype = 'maven' ORDER BY id", (build_id,))
    return [described_archive(row) | row["info"] for row in rows]


@exported("getLatestMavenArchives")
def get_latest_maven_archives(ctx: Context, tag: Any, event: int | None = None, inherit: bool = True) -> Any:
    """Maven artifacts of a tag."""
    found = maven_archives(ctx, strict_tag(ctx, tag)["id"], event, inherit=inherit)
    return [{name: value for name, value in row.items() if name not in _NOT_SHOWN} for row in found]


def link_artifacts(ctx: Context, tag_id: int, directory: Path, event: int) -> None:
    """The Maven part of a repo: links to the artifacts, and metadata that lists the versions."""
    versions: dict[Path, set[tuple[str, str, str]]] = {}
    for row in maven_archives(ctx, tag_id, event):
        build = {name: row[f"build_{name}"] for name in ("name", "version", "release", "epoch")}
        relative = str(ctx.state.paths.mavenrepo(row))
        source = Path(str(ctx.state.paths.mavenbuild(build | {"volume_name": "DEFAULT"}))) / relative
        link = directory / relative
        link.parent.mkdir(parents=True, exist_ok=True)
        versions.setdefault(link.parent, set()).add((row["group_id"], row["artifact_id"], row["version"]))
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(source, link.parent))
    for parent, artifacts in versions.items():
        (parent / "maven-metadata.xml").write_text(_metadata(artifacts), encoding="utf-8")
        write_sums(parent)


def _metadata(artifacts: set[tuple[str, str, str]]) -> str:
    ordered = sorted(artifacts, key=lambda artifact: _version_key(artifact[2]))
    group, artifact, latest = ordered[-1]
    listed = "".join(f"      <version>{version}</version>\n" for _group, _artifact, version in ordered)
    stamp = datetime.now().strftime("%Y%m%d%H%M%S")  # noqa: DTZ005 - as the real hub's
    return (
        f'<?xml version="1.0"?>\n<metadata>\n  <groupId>{group}</groupId>\n  <artifactId>{artifact}</artifactId>\n'
        f"  <versioning>\n    <latest>{latest}</latest>\n    <release>{latest}</release>\n    <versions>\n{listed}"
        f"    </versions>\n    <lastUpdated>{stamp}</lastUpdated>\n  </versioning>\n</metadata>\n"
    )


def _version_key(version: str) -> list[tuple[int, int, str]]:
    """Numbers by value, and after texts, as rpm compares versions."""
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


@exported("host.updateBuildrootArchives")
def update_buildroot_archives(
    ctx: Context, brootid: int, task_id: int, archives: list[dict[str, Any]], project: bool = False
) -> None:
    """Archives that stood in a buildroot."""
    verified_task(ctx, task_id)
    _add(ctx, own_buildroot(ctx, brootid, task_id), archives, project=project)


def _add(ctx: Context, root: dict[str, Any], archives: list[dict[str, Any]], *, project: bool) -> None:
    if root["state"] != BUILDING:
        raise koji.GenericError(f"buildroot {root['id']} in wrong state {root['state']}")
    for archive_id in sorted({archive["id"] for archive in archives}):
        ctx.db.run(
            "INSERT OR IGNORE INTO buildroot_archives (buildroot_id, archive_id, project_dep) VALUES (?, ?, ?)",
            (root["id"], archive_id, bool(project)),
        )


@exported("host.updateMavenBuildRootList")
def update_maven_buildroot_list(
    ctx: Context, brootid: int, task_id: int, mavenlist: list[dict[str, Any]], ignore: Any = None,
    project: bool = False, ignore_unknown: bool = False, extra_deps: Any = None,
) -> None:  # fmt: skip
    """What Maven had in a buildroot: of the repo's tag, of extra builds and tasks, or to be ignored (contract 7.2)."""
    assert_maven(ctx)
    verified_task(ctx, task_id)
    root = own_buildroot(ctx, brootid, task_id)
    repo = strict_repo(ctx, root["repo_id"])
    supplied = {_label(row): row["build_id"] for row in maven_archives(ctx, repo["tag_id"], repo["create_event"])}
    ignored = _ignored(ignore or [])
    for dep in extra_deps or []:
        if isinstance(dep, int):
            _merge(ignored, _outputs(ctx, dep))
        else:
            build_id = strict_build(ctx, dep)["id"]
            supplied |= {_label(row): build_id for row in list_archives(ctx, buildID=build_id, type="maven")}
    known = []
    for entry in mavenlist:
        label = _label(entry["maven_info"])
        rows = list_archives(ctx, buildID=supplied[label], type="maven") if label in supplied else []
        here = {row["filename"]: row for row in rows if _label(row) == label}
        for file in entry["files"]:
            found = here.get(file["filename"])
            if found is not None and found["size"] == file["size"]:
                known.append(found)
            elif ignored.get(label, {}).get(file["filename"]) != file["size"] and not ignore_unknown:
                shown = f"{file['path']}/{file['filename']}"
                raise koji.BuildrootError(f"No such file in build environment: {shown}, size: {file['size']}")
    _add(ctx, root, known, project=project)


def _label(info: dict[str, Any]) -> str:
    return str(koji.mavenLabel(info))


def _ignored(entries: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Label -> file name -> size; a snapshot under its other name too."""
    found: dict[str, dict[str, int]] = {}
    for entry in entries:
        files = found.setdefault(_label(entry["maven_info"]), {})
        for file in entry["files"]:
            files[file["filename"]] = file["size"]
            files[_SNAPSHOT.sub("-SNAPSHOT", file["filename"])] = file["size"]
    return found


def _merge(into: dict[str, dict[str, int]], more: dict[str, dict[str, int]]) -> None:
    for label, files in more.items():
        into.setdefault(label, {}).update(files)


def _outputs(ctx: Context, task_id: int) -> dict[str, dict[str, int]]:
    """What another task made, by the places in its local repository."""
    entries = []
    for path, stats in list_task_output(ctx, task_id, stat=True).items():
        parts = path.split("/")
        if len(parts) >= 4 and not path.endswith(_NOT_ARTIFACTS):
            info = {"group_id": ".".join(parts[:-3]), "artifact_id": parts[-3], "version": parts[-2]}
            entries.append({"maven_info": info, "files": [{"filename": parts[-1], "size": int(stats["st_size"])}]})
    return _ignored(entries)


@exported("mavenBuild")
def maven_build(
    ctx: Context, url: str, target: Any, opts: Any = None, priority: int | None = None, channel: str = "maven"
) -> int:
    """A task maven; its id."""
    ctx.assert_login()
    assert_maven(ctx)
    return tasks.make_task(ctx, "maven", [url, target, opts or {}], **task_options(ctx, priority, channel))


@exported("chainMaven")
def chain_maven(
    ctx: Context, builds: dict[str, Any], target: Any, opts: Any = None, priority: int | None = None,
    channel: str = "maven",
) -> int:  # fmt: skip
    """A task chainmaven; its id."""
    ctx.assert_login()
    assert_maven(ctx)
    return tasks.make_task(ctx, "chainmaven", [builds, target, opts], **task_options(ctx, priority, channel))
