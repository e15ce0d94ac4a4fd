"""Fills containers that are made only to become images: the root after its base install, and tools of the repo's own.

Runs in the thread of the prepared images, maybe long after the task that asked has ended.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from koji_adjutant.buildroot import bootstrap, contents, dnf
from koji_adjutant.buildroot.bootstrap import RepoTools, ToolsKey
from koji_adjutant.buildroot.pair import ContainerPair, create_pair
from koji_adjutant.buildroot.prepared import PreparedKey
from koji_adjutant.buildroot.root import QUERY_SECONDS, Root
from koji_adjutant.buildroot.rpmdb_check import check_rpmdb
from koji_adjutant.buildroot.step_logs import StepLogs
from koji_adjutant.container.interface import ContainerHandle, ImageInfo
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.deep_trees import remove_tree
from koji_adjutant.errors import ConfigurationError, ContainerError, ExecError
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.root_parts import RootParts, RootPlan
from koji_adjutant.tasks.tools_images import FilledTools, NoTools

HEAD_START = 3.0
"""Seconds by which a task is ahead of the images that are made for the next one."""


class ImageRecipes:
    """Asks for the images that later tasks of a repo start from. All methods are thread-safe."""

    def __init__(self, context: TaskContext, parts: RootParts) -> None:
        self._context = context
        self._parts = parts

    def request(self, plan: RootPlan) -> None:
        """Have the images of `plan` made in the background: tools of the repo first, then the root that they fill."""
        if plan.bootstrap is None:
            self.request_prepared(plan)
        else:
            self.request_tools(plan, plan.bootstrap, then=lambda tools: self.request_prepared(with_tools(plan, tools)))

    def request_prepared(self, plan: RootPlan) -> None:
        """Have the prepared image of `plan` made in the background."""
        key = self._parts.prepared_key(plan)
        if key is not None:
            self._context.shared.prepared.request(key, plan.repo.tag_name, lambda: self._prepare(plan, key))

    def request_tools(
        self, plan: RootPlan, wanted: RepoTools, *, then: Callable[[ImageInfo | None], None] = lambda _: None
    ) -> None:
        """Have tools made of the plan's repo in the background; `plan.tools` is the image that makes them."""
        self._context.shared.tools_images.request(
            wanted, plan.repo.tag_name, lambda: self._bootstrap(plan, wanted), then
        )

    def _prepare(self, plan: RootPlan, key: PreparedKey) -> tuple[ContainerHandle, Callable[[], None]]:
        def fill(root: Root) -> None:
            status = root.fill()
            if not status.ok:
                raise ContainerError(
                    f"base install for the prepared image of repo {key.repo_id} ended with {status.exit_code}"
                )
            check_rpmdb(root)
            if not contents.counted(root.installed()):
                # A root without rpm of its own passes the check as well: this one would be every later task's.
                raise ContainerError(f"base install for the prepared image of repo {key.repo_id} installed nothing")
            root.clean()

        root, _, remove = self._filled(plan, key.digest, fill)
        return root.pair.task, remove

    def _bootstrap(self, plan: RootPlan, wanted: RepoTools) -> FilledTools:
        def fill(root: Root) -> ToolsKey:
            command = bootstrap.install_command(root.settings, root.layout, root.facts.manager)
            status = root.package_step("tools", command)
            if not status.ok:
                raise ContainerError(
                    f"installing tools of repo {plan.repo.repo_id} ended with {status.exit_code}", reason="bootstrap"
                )
            self._probe(root)
            root.clean()
            return ToolsKey.of(wanted, root.installed(), userns=self._context.config.userns)

        root, key, remove = self._filled(plan, wanted.digest, fill)
        return FilledTools(root.pair.task, key, remove)

    def _probe(self, root: Root) -> None:
        """See whether what was installed works as tools.

        Raises:
            NoTools: it lacks a package manager, or one of the programs does not run.
        """
        listing = self._run(root, f"{BIN_DIR}/busybox", *dnf.detect_command())
        try:
            manager = dnf.choose_package_manager(root.settings.package_manager, listing)
        except ConfigurationError as error:
            raise NoTools(f"repo has no {root.settings.package_manager}") from error
        for command in bootstrap.probe_commands(manager):
            self._run(root, *command)

    def _run(self, root: Root, *argv: str) -> str:
        shown = " ".join(argv)
        try:
            result = self._context.runtime.exec(root.pair.task, argv, env={"HOME": "/root"}, timeout=QUERY_SECONDS)
        except ExecError as error:
            if error.reason != "not-started":
                raise
            raise NoTools(f"repo has no {argv[0]}") from error
        if result.exit_code:
            complaint = result.stderr[-500:].decode("utf-8", "replace").strip()
            raise NoTools(f"`{shown}` of the repo's own packages ends with {result.exit_code}", details=complaint)
        return result.stdout.decode("utf-8", "replace")

    def _filled(self, plan: RootPlan, digest: str, fill: Callable[[Root], Any]) -> tuple[Root, Any, Callable[[], None]]:
        """Return a filled root, what `fill` returned, and what removes it; nothing is left behind by an error."""
        config = self._context.config
        # Making containers costs as much as using them: the task that asked is about to begin its build.
        threading.Event().wait(HEAD_START)
        # A try of its own: steps that an earlier one ended would count as done.
        name = f"{digest[:8]}-{uuid.uuid4().hex[:8]}"
        directory = Path(config.state_dir) / "prepare" / name
        directory.mkdir(parents=True, exist_ok=True)
        proxy = self._parts.proxy(plan, directory / "proxy")
        name = f"adjutant-{self._context.identity.worker_label}-prepare-{name}"
        pair: ContainerPair | None = None

        def remove() -> None:
            with ExitStack() as stack:
                # All of it, whatever fails; the last one first.
                stack.callback(_remove_directory, directory)
                if proxy is not None:
                    stack.callback(proxy.stop)
                if pair is not None:
                    stack.callback(pair.remove)

        try:
            request = self._parts.request(plan, directory, name, config.empty_image, prepare=True)
            pair = create_pair(self._context.runtime, request)
            root = self._parts.root(plan, pair, StepLogs.discarding())
            return root, fill(root), remove
        except BaseException:
            remove()
            raise


def _remove_directory(directory: Path) -> None:
    # What is left goes when the daemon starts next.
    with suppress(OSError):
        remove_tree(directory)


def with_tools(plan: RootPlan, tools: ImageInfo | None) -> RootPlan:
    """Return the plan with tools of the repo's own, if there are any."""
    return plan if tools is None else replace(plan, tools=tools, bootstrap=None)
