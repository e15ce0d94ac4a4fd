"""What a `build` task was asked for, checked and resolved: options, tags, policy data (contract 4.1, build). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import koji

from koji_adjutant.hub.rpm_header import SRPMHeader


@dataclass(frozen=True)
class Aim:
    """Where a build is made and where it goes."""

    build_tag: int
    dest_tag: int
    dest_name: str
    """For sentences about the package list."""
    target: str | None
    """Name of the build target, if there is one."""
    skip_tag: bool


def check_arch_override(opts: Mapping[str, Any]) -> None:
    """Refuse arches of the user's own for a build that is kept.

    Raises:
        koji.BuildError
    """
    if opts.get("arch_override") and not opts.get("scratch"):
        raise koji.BuildError("arch_override is only allowed for scratch builds")


def check_metadata(opts: Mapping[str, Any]) -> None:
    """Refuse what cannot become the build's `custom_user_metadata`.

    Raises:
        koji.BuildError
    """
    metadata = opts.get("custom_user_metadata")
    if not metadata:
        return
    if not isinstance(metadata, dict):
        raise koji.BuildError("custom_user_metadata must be serializable to a JSON object")
    try:
        json.dumps(metadata)
    except TypeError as error:
        raise koji.BuildError("custom_user_metadata is not JSON serializable") from error


def check_repo(repo_id: Any, repo: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the repo that the user named if it can be built with.

    Raises:
        koji.BuildError
    """
    if not repo:
        raise koji.BuildError(f"No such repo: {repo_id}")
    state = koji.REPO_STATES[repo["state"]]
    if state not in {"READY", "EXPIRED"}:
        raise koji.BuildError(f"Bad repo: {repo['id']} ({state})")
    return repo


def aim_of_target(target: Mapping[str, Any], repo: Mapping[str, Any] | None, *, skip_tag: bool) -> Aim:
    """Return the aim of a build for a target; `repo` is the one the user named.

    Raises:
        koji.BuildError: the repo is of another tag.
    """
    if repo is not None and repo["tag_id"] != target["build_tag"]:
        raise koji.BuildError(f"Repo/Target mismatch: {repo['tag_name']}/{target['build_tag_name']}")
    return Aim(target["build_tag"], target["dest_tag"], target["dest_tag_name"], target["name"], skip_tag)


def aim_of_repo(
    name: str | None, repo: Mapping[str, Any] | None, tag: Mapping[str, Any] | None, *, skip_tag: bool
) -> Aim:
    """Return the aim of a build without a target: the named repo's tag, and `tag` (of that name) as the destination.

    Raises:
        koji.GenericError: there is no repo, or no such tag.
    """
    if repo is None:
        raise koji.GenericError(f"unknown build target: {name}")
    if name is None:
        return Aim(repo["tag_id"], repo["tag_id"], repo["tag_name"], None, skip_tag=True)
    if not tag:
        raise koji.GenericError(f"neither tag nor target: {name}")
    return Aim(repo["tag_id"], tag["id"], tag["name"], None, skip_tag)


def policy_data(
    task: Mapping[str, Any], src: str, opts: Mapping[str, Any], aim: Aim, *, from_scm: bool
) -> dict[str, Any]:
    """Return what the hub's policies are asked about."""
    data = {
        "user_id": task["owner"],
        "source": src,
        "task_id": task["id"],
        "build_tag": aim.build_tag,
        "skip_tag": aim.skip_tag,
        "scratch": opts.get("scratch"),
        "draft": opts.get("draft"),
        "from_scm": from_scm,
        "repo_id": opts.get("repo_id"),
    }
    if aim.target is not None:
        data["target"] = aim.target
    if not aim.skip_tag:
        data["tag"] = aim.dest_tag
    return data


def policies(opts: Mapping[str, Any], *, from_scm: bool) -> list[str]:
    """Return the names of the policies that must allow the build, in kojid's order."""
    names = []
    if not from_scm and not opts.get("scratch"):
        names.append("build_from_srpm")
    if opts.get("repo_id") is not None:
        names.append("build_from_repo_id")
    return [*names, "build_rpm"]


def check_listed(package: str, config: Mapping[str, Any] | None, aim: Aim) -> None:
    """Refuse a package that the destination does not take; not for scratch builds, nor where tagging is skipped.

    Raises:
        koji.BuildError
    """
    if config is None:
        raise koji.BuildError(f"package {package} not in list for tag {aim.dest_name}")
    if config["blocked"]:
        raise koji.BuildError(f"package {package} is blocked for tag {aim.dest_name}")


def rebuilds_srpm(config: Mapping[str, Any], opts: Mapping[str, Any]) -> bool:
    """Whether an uploaded source package is written anew in the build tag's root: the tag says, a scratch build may."""
    if opts.get("scratch") and opts.get("rebuild_srpm") is not None:
        return bool(opts["rebuild_srpm"])
    return bool((config.get("extra") or {}).get("rebuild_srpm", True))


def build_data(
    task_id: int, header: SRPMHeader, source: Mapping[str, Any] | None, opts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what `initBuild` is told; `source` is where the source package comes from, if that is known."""
    data: dict[str, Any] = {
        "name": header.name,
        "version": header.version,
        "release": header.release,
        "epoch": header.epoch,
        "task_id": task_id,
    }
    extra: dict[str, Any] = {}
    if source:
        data["source"] = source["source"]
        extra["source"] = {"original_url": source["url"]}
    if opts.get("custom_user_metadata"):
        extra["custom_user_metadata"] = opts["custom_user_metadata"]
    if extra:
        data["extra"] = extra
    if opts.get("draft"):
        data["draft"] = opts["draft"]
    return data
