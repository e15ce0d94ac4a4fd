"""What a wrapperRPM wraps: the files of a build or task, and the names its template sees (contract 4.5)."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import koji

NVR = ("epoch", "name", "version", "release")
IMAGE_TASKS = ("createLiveCD", "createAppliance", "createImage", "createLiveMedia")
_KINDS = ("maven", "win", "image")
_PATHS = koji.PathInfo(topdir="")


@dataclass(frozen=True)
class Artifact:
    """One file."""

    name: str
    path: str
    """Below topurl."""
    shown: str
    """As the template sees its path."""


@dataclass(frozen=True)
class Wrapped:
    """What is wrapped: the files, and the template's variables, as data."""

    artifacts: tuple[Artifact, ...]
    values: Mapping[str, Any]


def find_wrapped(session: Any, build: Mapping[str, Any] | None, task: Mapping[str, Any] | None) -> Wrapped:
    """Ask the hub what `build` (of Maven, Windows or images) or `task` has made.

    Raises:
        koji.BuildError: kojid's texts.
    """
    infos = _infos(session, build) if build else {}
    logs: tuple[str, ...] = ()
    if task:
        artifacts = _of_task(session, task)
    elif build:
        artifacts, logs = _of_build(session, build, infos)
    else:
        raise koji.BuildError("build and/or task must be specified")
    values = listing(artifacts, logs)
    if not values["artifacts"]:
        what = koji.taskLabel(task) if task else koji.buildLabel(build)
        raise koji.BuildError(f"no output found for {what}")
    described = _describe_build(build, infos) if build else _describe_task(session, task or {})
    return Wrapped(tuple(artifacts), {**values, **described})


def listing(artifacts: Iterable[Artifact], logs: Iterable[str] = ()) -> dict[str, Any]:
    """Return the template's lists: by extension, all, all with their path."""
    files = list(artifacts)
    names = [artifact.name for artifact in files] + list(logs)
    by_extension: dict[str, list[str]] = {}
    for name in names:
        by_extension.setdefault(os.path.splitext(name)[1], []).append(name)
    return {
        "artifacts": by_extension,
        "all_artifacts": names,
        "all_artifacts_with_path": [artifact.shown for artifact in files],
    }


def _infos(session: Any, build: Mapping[str, Any]) -> dict[str, Any]:
    ask = {"maven": session.getMavenBuild, "win": session.getWinBuild, "image": session.getImageBuild}
    return {kind: ask[kind](build["id"], strict=False) for kind in _KINDS}


def _of_task(session: Any, task: Mapping[str, Any]) -> list[Artifact]:
    found = []
    for path, volumes in session.listTaskOutput(task["id"], all_volumes=True).items():
        name = posixpath.basename(path)
        if name.endswith(".log"):
            continue
        below = posixpath.join(_PATHS.task(task["id"]), path)[1:]
        for volume in volumes:
            whole = posixpath.join(_PATHS.volumedir(volume), below).lstrip("/")
            found.append(Artifact(name, whole, whole))
    return found


def _of_build(
    session: Any, build: Mapping[str, Any], infos: Mapping[str, Any]
) -> tuple[list[Artifact], tuple[str, ...]]:
    if build["state"] != koji.BUILD_STATES["COMPLETE"]:
        raise koji.BuildError("cannot call wrapperRPM on a build that did not complete successfully")
    kind = next((kind for kind in _KINDS if infos[kind]), None)
    if kind is None:
        raise koji.BuildError("unsupported build type")
    rows = session.listArchives(buildID=build["id"], type=kind)
    files = [row for row in rows if not row["filename"].endswith(".log")]
    logs = tuple(row["filename"] for row in rows if row["filename"].endswith(".log"))
    return [_archive(kind, build, row) for row in files], logs


def _archive(kind: str, build: Mapping[str, Any], row: Mapping[str, Any]) -> Artifact:
    if kind == "maven":
        shown, directory = _PATHS.mavenfile(row), _PATHS.mavenbuild(build)
    elif kind == "win":
        shown, directory = _PATHS.winfile(row), _PATHS.winbuild(build)
    else:
        shown, directory = row["filename"], _PATHS.imagebuild(build)
    return Artifact(row["filename"], posixpath.join(directory, shown).lstrip("/"), shown)


def _describe_build(build: Mapping[str, Any], infos: Mapping[str, Any]) -> dict[str, Any]:
    kind = next((kind for kind in _KINDS if infos[kind]), None)
    if kind is None:
        raise koji.BuildError("unsupported build type")
    return {**{field: build.get(field) for field in NVR}, f"{kind}_info": infos[kind]}


def _describe_task(session: Any, task: Mapping[str, Any]) -> dict[str, Any]:
    result = session.getTaskResult(task["id"])
    if task["method"] == "buildMaven":
        info = result["maven_info"]
        nvr = {**koji.maven_info_to_nvr(info), "release": "0.scratch"}
        return {**{field: nvr.get(field) for field in NVR}, "maven_info": info}
    values = {field: result.get(field) for field in NVR}
    if task["method"] == "vmExec":
        return {**values, "win_info": {"platform": result["platform"]}}
    if task["method"] in IMAGE_TASKS:
        return values
    raise koji.BuildError(f"unsupported task method: {task['method']}")
