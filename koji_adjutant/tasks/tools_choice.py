"""Which image fills a task's root: the one the tag or the configuration names, or tools made of the tag's own repo.

`images.bootstrap: auto` uses tools of the repo once they are there and never waits for them; `mock.use_bootstrap` of the
tag turns them off (False) or demands them (True), so that the first task of a repo waits (design section 6.1).
"""

from __future__ import annotations

import time
from dataclasses import replace

from koji_adjutant.buildroot.bootstrap import RepoTools
from koji_adjutant.buildroot.faults import RootFault
from koji_adjutant.buildroot.settings import RootSettings
from koji_adjutant.container.image_policy import pull_policy, tools_image
from koji_adjutant.container.interface import ImageInfo, PullPolicy
from koji_adjutant.errors import ImageError
from koji_adjutant.tasks.buildroot_record import RepoTag
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.image_recipes import ImageRecipes
from koji_adjutant.tasks.root_parts import RootParts, RootPlan

WAIT_POLL = 0.5


class ToolsChoice:
    """Chooses for one task. Used by the task's thread only."""

    def __init__(self, context: TaskContext, parts: RootParts, recipes: ImageRecipes) -> None:
        self._context = context
        self._parts = parts
        self._recipes = recipes

    def named(self, repo: RepoTag, settings: RootSettings) -> ImageInfo:
        """Return the image that the tag, a rule or the configuration names.

        Raises:
            ImageError: none is named, it is not allowed, or not to be had.
        """
        images = self._context.config.images
        image = tools_image(
            images,
            tag=repo.tag_name,
            arch=settings.arch,
            method=self._context.method,
            of_tag=named_by_tag(repo, settings),
        )
        return self._context.runtime.ensure_image_available(image, pull_policy(images, image))

    def choose(self, plan: RootPlan) -> RootPlan:
        """Return the plan with the tools that this task uses; an adopted task keeps what it began with.

        Raises:
            RootFault: the tag demands tools of its own repo, which has none.
        """
        chosen: list[RootPlan] = []

        def look() -> list[object]:
            found = self._look(plan)
            chosen.append(found)
            return [found.tools.reference, list(found.notes)]

        reference, notes = self._context.journal.remember("tools", look)
        return chosen[0] if chosen else self._again(plan, reference, tuple(notes))

    def _again(self, plan: RootPlan, reference: str, notes: tuple[str, ...]) -> RootPlan:
        try:
            tools = self._context.runtime.ensure_image_available(reference, PullPolicy.NEVER)
        except ImageError:
            # Evicted: then no container of the task lives, and what it did is done again.
            return self._look(plan)
        return replace(plan, tools=tools, notes=notes)

    def _look(self, plan: RootPlan) -> RootPlan:
        off = why_off(plan, configured=self._context.config.images.bootstrap)
        if off is None and not self._context.shared.tools_images.enabled:
            off = "images of this host's own are turned off or cannot be made"
        if off is not None:
            return plan if not off else _noted(plan, f"no tools of the tag's own repo: {off}")
        wanted = self._parts.tools_wanted(plan)
        tools = self._context.shared.tools_images.find(wanted)
        if tools is None and plan.settings.use_bootstrap:
            tools = self._made(plan, wanted)
        if tools is not None:
            return _noted(replace(plan, tools=tools), "tools of the tag's own repo")
        if reason := self._context.shared.tools_images.refusal(wanted):
            return _noted(plan, f"no tools of the tag's own repo: {reason}")
        return _noted(
            replace(plan, bootstrap=wanted), "tools of the tag's own repo are made for later tasks; not used here"
        )

    def _made(self, plan: RootPlan, wanted: RepoTools) -> ImageInfo:
        """Have the tools made and wait, as the tag demands."""
        images, tag = self._context.shared.tools_images, plan.repo.tag_name
        if not images.refusal(wanted):
            self._context.log.info("tools.awaited", tag=tag)
            self._recipes.request_tools(plan, wanted)
        deadline = time.monotonic() + float(self._context.config.build.init_timeout)
        while images.pending(wanted) and time.monotonic() < deadline:
            self._context.interruption.sleep(WAIT_POLL)
        tools = images.find(wanted)
        if tools is None:
            reason = images.refusal(wanted) or "they were not made in time"
            raise RootFault(f"mock.use_bootstrap of tag {tag} demands tools of its own repo: {reason}")
        return tools


def named_by_tag(repo: RepoTag, settings: RootSettings) -> str | None:
    """Return the tools image that the tag itself names: ours first, then mock's, which kojid.conf has to allow."""
    ours = (repo.config.get("extra") or {}).get("adjutant.image")
    return str(ours) if ours else settings.bootstrap_image


def why_off(plan: RootPlan, *, configured: str) -> str | None:
    """Return why this task does not look for tools of its repo: None if it does, empty if nobody expects it to."""
    settings = plan.settings
    if settings.use_bootstrap is False:
        return "mock.use_bootstrap of the tag is False"
    if named_by_tag(plan.repo, settings) is not None:
        return "the tag names an image"
    if settings.forcearch:
        return "they would be of another architecture (mock.forcearch)"
    if configured == "off" and not settings.use_bootstrap:
        return ""
    return None


def tools_line(plan: RootPlan) -> str:
    """Return what root.log says about the tools."""
    return "".join(
        [f"tools image {plan.tools.reference} ({plan.tools.digest})\n", *(f"note: {note}\n" for note in plan.notes)]
    )


def _noted(plan: RootPlan, note: str) -> RootPlan:
    return replace(plan, notes=(*plan.notes, note))
