"""Tasks that people ask for by their own calls: builds, chains of builds, repos, commands in a root, restarts."""

from __future__ import annotations

import random
from typing import Any

import koji

from koji_adjutant.minihub import tasks
from koji_adjutant.minihub.buildroots import get_buildroot
from koji_adjutant.minihub.builds import strict_build
from koji_adjutant.minihub.context import Context, convert, exported
from koji_adjutant.minihub.hosts import get_all_arches, get_host, list_hosts
from koji_adjutant.minihub.rpms import list_rpms
from koji_adjutant.minihub.tags import strict_tag
from koji_adjutant.minihub.targets import get_build_target

_REPO_PRIORITY = 15
_SAVED_METHODS = ("buildArch",)


def task_options(ctx: Context, priority: int | None, channel: str | None) -> dict[str, Any]:
    """Options of a task; a priority is relative to the default, and only administrators may raise theirs."""
    found: dict[str, Any] = {}
    if priority:
        if priority < 0 and not ctx.has_perm("admin"):
            raise koji.ActionNotAllowed("only admins may create high-priority tasks")
        found["priority"] = koji.PRIO_DEFAULT + priority
    return found | ({"channel": channel} if channel else {})


def _assert_type(value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise koji.ParameterError(f"Invalid type for value '{value}': {type(value)}, expected type {kind}")


@exported("build")
def build(
    ctx: Context, src: str, target: str | None, opts: dict[str, Any] | None = None, priority: int | None = None,
    channel: str | None = None,
) -> int:  # fmt: skip
    """A build of a source package or of a source repository; the task's id."""
    ctx.assert_login()
    _assert_type(src, str)
    return tasks.make_task(ctx, "build", [src, target, opts or {}], **task_options(ctx, priority, channel))


@exported("chainBuild")
def chain_build(
    ctx: Context, srcs: list[Any], target: str, opts: dict[str, Any] | None = None, priority: int | None = None,
    channel: str | None = None,
) -> int:  # fmt: skip
    """Builds one after another, each of those that came before; the task's id."""
    ctx.assert_login()
    _assert_type(srcs, list)
    return tasks.make_task(ctx, "chainbuild", [srcs, target, opts or {}], **task_options(ctx, priority, channel))


@exported("wrapperRPM")
def wrapper_rpm(
    ctx: Context, build: Any, url: str, target: Any, priority: int | None = None, channel: str = "maven",
    opts: dict[str, Any] | None = None,
) -> int:  # fmt: skip
    """Rpms around what a build left; the task's id."""
    ctx.assert_login()
    if not ctx.state.options.enable_maven:
        raise koji.GenericError("Maven support not enabled")
    wishes = {name: value for name, value in (opts or {}).items() if name != "repo_id"}
    _assert_type(url, str)
    found = strict_build(ctx, build)
    if list_rpms(ctx, buildID=found["id"]) and not (wishes.get("scratch") or wishes.get("create_build")):
        raise koji.PreBuildError(f"wrapper rpms for {koji.buildLabel(found)} have already been built")
    arguments = [url, get_build_target(ctx, target, strict=True), found, None, wishes]
    return tasks.make_task(ctx, "wrapperRPM", arguments, **task_options(ctx, priority, channel))


@exported("newRepo")
def new_repo(
    ctx: Context, tag: Any, event: int | None = None, src: bool = False, debuginfo: bool = False,
    separate_src: bool = False,
) -> int:  # fmt: skip
    """A new repo, at once and whatever the queue says: permission `repo` or `regen-repo`; the task's id."""
    if not ctx.has_perm("repo"):
        ctx.assert_perm("regen-repo")
    strict_tag(ctx, tag)
    wishes: dict[str, Any] = {} if event is None else {"event": event}
    wishes |= {
        name: True for name, value in (("src", src), ("separate_src", separate_src), ("debuginfo", debuginfo)) if value
    }
    arguments = list(koji.encode_args(tag, **wishes))
    return tasks.make_task(ctx, "newRepo", arguments, priority=_REPO_PRIORITY, channel="createrepo")


@exported("restartHosts")
def restart_hosts(ctx: Context, priority: int = 5, options: dict[str, Any] | None = None) -> int:
    """Ask daemons to start again when their tasks are done: permission `host`; the task's id."""
    ctx.assert_perm("host")
    if options is not None and not isinstance(options, dict):
        raise koji.ParameterError(f"Invalid type of options: {type(options)}")
    return tasks.make_task(ctx, "restartHosts", [] if options is None else [options], priority=priority)


@exported("runroot")
def runroot(ctx: Context, tagInfo: Any, arch: str, command: Any, channel: str | None = None, **opts: Any) -> int:  # noqa: N803 - the hub's name for it
    """A command in a root of a tag (plugin runroot): permission `runroot`; the task's id."""
    ctx.assert_perm("runroot")
    wanted = koji.parse_arches(arch, strict=True, allow_none=False)
    if not isinstance(command, (str, list)):
        raise koji.GenericError(f"Invalid type for value '{command}': {type(command)}")
    where, tag = channel or "runroot", strict_tag(ctx, tagInfo)
    task_arch = _concrete_arch(ctx, tag, tagInfo, where) if wanted == "noarch" else wanted
    arguments = list(koji.encode_args(tagInfo, wanted, command, **opts))
    return tasks.make_task(ctx, "runroot", arguments, priority=_REPO_PRIORITY, arch=task_arch, channel=where)


def _concrete_arch(ctx: Context, tag: dict[str, Any], shown: Any, channel: str) -> str:
    """An arch of the tag that a host of the channel has, where not every host can make a root for the tag."""
    if not tag["arches"]:
        raise koji.GenericError(f"no arches defined for tag {tag['name']}")
    arches = tag["arches"].split()
    if not set(get_all_arches(ctx)) - set(arches):
        return "noarch"
    hosts = list_hosts(ctx, channelID=channel, enabled=True)
    known = {koji.canonArch(arch) for host in hosts for arch in host["arches"].split()}
    choices = [arch for arch in arches if arch in known]
    if not choices:
        raise koji.GenericError(f"no common arches for tag/channel: {shown}/{channel}")
    return str(koji.canonArch(random.choice(choices)))  # noqa: S311 - which one does not matter


@exported("saveFailedTree")
def save_failed_tree(ctx: Context, buildrootID: Any, full: bool = False, **opts: Any) -> int:  # noqa: N803 - the hub's name for it
    """Fetch what a failed task left (plugin save_failed_tree): its owner or administrators; the task's id."""
    root = get_buildroot(ctx, convert(buildrootID, int), strict=True)
    assert root is not None
    failed = tasks.existing(ctx.state, root["task_id"])
    if failed["state"] != tasks.FAILED:
        raise koji.PreBuildError(f"Task {failed['id']} has not failed. Only failed tasks can upload their buildroots.")
    if failed["method"] not in _SAVED_METHODS:
        raise koji.PreBuildError(
            f"Only {', '.join(_SAVED_METHODS)} tasks can upload their buildroots "
            f"(Task {failed['id']} is {failed['method']})."
        )
    if failed["owner"] != ctx.session.user_id and not ctx.has_perm("admin"):
        raise koji.ActionNotAllowed("Only owner of failed task or 'admin' can run this task.")
    host = get_host(ctx, failed["host_id"], strict=True)
    if host is None or not host["enabled"]:
        raise koji.PreBuildError("Host is disabled.")
    arguments = list(koji.encode_args(root["id"], bool(full), **opts))
    return tasks.make_task(ctx, "saveFailedTree", arguments, assign=root["host_id"])
