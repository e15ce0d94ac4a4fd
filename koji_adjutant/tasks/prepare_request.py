"""Asks for the images of a tag's newest repo, as its first buildArch task would, before there is any."""

from __future__ import annotations

from dataclasses import dataclass

import koji

from koji_adjutant.errors import UsageError
from koji_adjutant.tasks.buildroot_record import repo_tag
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.image_recipes import ImageRecipes
from koji_adjutant.tasks.root_parts import RootParts
from koji_adjutant.tasks.root_planner import RootPlanner
from koji_adjutant.tasks.tools_choice import ToolsChoice

GROUP = "build"
METHOD = "buildArch"
"""Whose roots are prepared: rules of the configuration may choose images by method."""


@dataclass(frozen=True)
class Prepared:
    """What was asked for; the images are made in the background."""

    tag: str
    repo_id: int
    arch: str


def request_images(context: TaskContext, tag: str, arch: str | None) -> Prepared:
    """Have the images made that roots of `tag` start from; `context` is of no task, its session the caller's alone.

    Raises:
        UsageError: there is no such tag, it has no repo, or the arch is not clear.
        HubError, ImageError, ContainerError, koji.GenericError: as for a task.
    """
    session = context.session
    if session.getTag(tag) is None:
        raise UsageError(f"the hub has no tag {tag}")
    found = session.getRepo(tag)
    if not found:
        raise UsageError(f"tag {tag} has no repo", resolution=f"Make one with: koji regen-repo {tag}")
    repo = repo_tag(session, session.repoInfo(found["id"], strict=True), tag, context.log)
    concrete = arch or only_arch(str(session.host.getHost()["arches"] or ""), str(repo.config["arches"] or ""))
    parts = RootParts(context)
    recipes = ImageRecipes(context, parts)
    plan = RootPlanner(context, ToolsChoice(context, parts, recipes)).plan(repo, concrete, group=GROUP)
    recipes.request(plan)
    return Prepared(repo.tag_name, repo.repo_id, plan.settings.br_arch)


def only_arch(of_host: str, of_tag: str) -> str:
    """Return the arch that both have, as koji writes lists of them.

    Raises:
        UsageError: there is none, or more than one.
    """
    common = sorted(
        {koji.canonArch(arch) for arch in of_host.split()} & {koji.canonArch(arch) for arch in of_tag.split()}
    )
    if len(common) == 1:
        return str(common[0])
    if common:
        raise UsageError(f"host and tag have several arches: {', '.join(common)}", resolution="Name one with --arch.")
    raise UsageError(f"the host's arches ({of_host or 'none'}) are none of the tag's ({of_tag or 'none'})")
