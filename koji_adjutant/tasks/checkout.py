"""Sources from an SCM for a task: checked by policy here, checked out in a container, given to plugins as a copy (contract 5).

For handlers of buildSRPMFromSCM, wrapperRPM, maven and images::

    scm = assert_source_allowed(task, url, scratch=scratch)  # before anything else of the task, as kojid does
    checkout = checkout_source(task, scm, logs, build_tag=build_tag, scratch=scratch, buildroot=broot)
    checkout.check_spec()  # kojid's spec_sanity_checks
    inside = checkout.copy_into(root, f"{chroot_tmpdir}/scmroot")  # the source directory as the root sees it
    checkout.source_command  # argv for a step of the build user with `workdir=inside`, or None
    checkout.spec, checkout.sources  # relative to `inside`
    checkout.source  # kojid's get_source(), for the result

kojid's result does not name checkout.log among its logs. The source command needs the root's network, and, if the operator
gives them, `Credentials(directory, options.scm_credentials_dir)` mounted into the root: its copy is removed with the root.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import koji
import koji.plugin
from koji.daemon import SCM

from koji_adjutant.buildroot.per_task import BUILD_GID, BUILD_UID
from koji_adjutant.buildroot.root import Root
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import ContainerError
from koji_adjutant.scm.bounded import CheckoutLimits
from koji_adjutant.scm.clone import copy_clone, misleads_git
from koji_adjutant.scm.commands import CheckoutPlan, plan_checkout, recorded_source, source_command
from koji_adjutant.scm.source_url import parse_source
from koji_adjutant.scm.spec import check_spec, find_spec, sources_directory
from koji_adjutant.scm.tree import check_tree, copy_tree, resolve
from koji_adjutant.tasks.attempts import Retry, backoff, retry
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.checkout_container import SCMDIR, CheckoutContainer, CheckoutJob
from koji_adjutant.tasks.task_logs import TaskLogs
from koji_adjutant.tasks.work_container import work_image

CHOWN_SECONDS = 900.0


def source_directory(tree: Path, inside: str, url: str) -> Path:
    """Return the directory that `inside` leads to, a real one below `tree`; koji.BuildError if it leads to none."""
    found = resolve(tree, inside)
    if found is None or not found.is_dir():
        raise koji.BuildError(f"there is no directory {inside} in the checkout of {url}")
    return found


@dataclass(frozen=True)
class Checkout:
    """A finished checkout on this machine. Its directory stays until the task ends; reading it is safe, running it is not."""

    tree: Path
    """Everything that was checked out, `common` too: kojid's scmroot."""
    inside: str
    """The source directory, relative to `tree`."""
    source: dict[str, str]
    """What the hub records: `url` as asked for and `source` with the commit."""
    source_command: list[str] | None
    """Fetches what the SCM does not hold; to be run in the build root by the build user, with network (contract 5.4)."""
    rpm_layout: bool

    @property
    def directory(self) -> Path:
        """The source directory, a real one below `tree`."""
        return source_directory(self.tree, self.inside, self.source["url"])

    @cached_property
    def spec(self) -> str:
        """The one spec, relative to the source directory. Raises koji.BuildError in kojid's words if there is none."""
        return find_spec(self.tree, self.inside, rpm_layout=self.rpm_layout)

    @property
    def sources(self) -> str:
        """Where rpmbuild finds sources, relative to the source directory: "" or `SOURCES`."""
        return sources_directory(self.tree, self.inside, rpm_layout=self.rpm_layout)

    def check_spec(self) -> None:
        """Refuse a spec with tags that kojid forbids."""
        check_spec(self.tree, self.inside, self.spec)

    def copy_into(self, root: Root, path: str) -> str:
        """Copy everything to `path` in a root, for its build user; return the source directory there.

        Safe to repeat until code of the source has run in the root.

        Raises:
            CopyError, ContainerError: the root's container does not take it.
        """
        root.manager.copy_to(root.pair.task, self.tree, path)
        owner = f"{BUILD_UID}:{BUILD_GID}"
        command = [f"{BIN_DIR}/busybox", "chown", "-R", "-h", owner, path]
        result = root.manager.exec(root.pair.task, command, timeout=CHOWN_SECONDS)
        if result.exit_code:
            raise ContainerError(
                f"the checkout in {root.pair.task.name} cannot be given to the build user",
                details=result.stderr[-2000:].decode("utf-8", "replace"),
                reason="setup",
                retryable=True,
            )
        return f"{path}/{self.inside}"


def assert_source_allowed(task: ThreadedTask, url: str, *, scratch: Any, passwords: bool = True) -> SCM:
    """Parse `url`, ask allowed_scms and hub policy as kojid.conf says; return it with what they set (contract 5.2, 5.3).

    `passwords`: one in the URL is allowed if kojid.conf says so, else never.

    Raises:
        koji.GenericError, koji.BuildError: in koji's words, a password hidden.
    """
    options = task.options
    scm = parse_source(url, allow_password=passwords and options.allow_password_in_scm_url)
    channel = task.session.getChannel(task.taskinfo["channel_id"], strict=True)
    scm.assert_allowed(
        allowed=options.allowed_scms,
        session=task.session,
        by_config=options.allowed_scms_use_config,
        by_policy=options.allowed_scms_use_policy,
        policy_data={"user_id": task.taskinfo["owner"], "channel": channel["name"], "scratch": scratch},
    )
    return scm


def checkout_source(
    task: ThreadedTask,
    source: str | SCM,
    logs: TaskLogs,
    *,
    build_tag: Any,
    scratch: Any,
    buildroot: Any = None,
    name: str = "checkout",
    log: str = "checkout.log",
) -> Checkout:
    """Check out a URL, or one that `assert_source_allowed` gave; run the callbacks around it.

    An adopted task finds a finished checkout as it was. `name` is unique in the task. `buildroot` is what callbacks get
    under that name; None leaves it out, as kojid does where there is none.

    Raises:
        koji.GenericError, koji.BuildError: kojid's faults (contract 5), or a limit or trick, named.
        koji.CallbackError: a plugin refused.
        ContainerError, ImageError: no container for it, after the tries that `attempts` allows.
    """
    scm = assert_source_allowed(task, source, scratch=scratch) if isinstance(source, str) else source
    callbacks = {"build_tag": build_tag, "scratch": scratch}
    if buildroot is not None:
        callbacks["buildroot"] = buildroot
    return _Run(task, scm, logs, callbacks, name, log).checkout()


class _Run:
    """One call of `checkout_source`."""

    def __init__(
        self,
        task: ThreadedTask,
        scm: SCM,
        logs: TaskLogs,
        callbacks: Mapping[str, Any],
        name: str,
        log: str,
    ) -> None:
        self._task = task
        self._context = task.context
        self._scm = scm
        self._logs = logs
        self._callbacks = callbacks
        self._name = name
        self._log = log
        bounds = task.context.config.scm
        self._limits = CheckoutLimits(float(bounds.timeout), bounds.max_size, bounds.max_files)
        self._plan: CheckoutPlan = plan_checkout(scm, SCMDIR)

    def checkout(self) -> Checkout:
        self._task.once(f"{self._name}-pre", lambda: self._call("preSCMCheckout"))
        tree, commit = self._task.once(self._name, self._attempts)
        checkout = Checkout(
            tree=self._context.directory / tree,
            inside=self._plan.source,
            source=recorded_source(self._scm, commit),
            source_command=source_command(self._scm.source_cmd) if self._scm.source_cmd else None,
            rpm_layout=bool(self._task.options.support_rpm_source_layout),
        )
        copy = self._task.once(f"{self._name}-post", lambda: self._plugins(checkout.tree))
        return replace(checkout, tree=self._context.directory / copy) if copy else checkout

    def _attempts(self) -> list[str]:
        """Try as often as lost containers allow; return the tree, relative to the task's directory, and git's HEAD."""
        attempt = 1
        while True:
            over = f"{self._name}-{attempt}-over"
            if not self._context.journal.done(over):
                try:
                    return self._attempt(attempt)
                except ContainerError as error:
                    if retry(error, attempt, spec_ran=False, lost_before=False) is Retry.NO:
                        raise
                    self._context.log.warning("checkout.retried", attempt=attempt, error=str(error))
                    self._context.journal.remember(over, lambda: True)
                    self._context.interruption.sleep(backoff(attempt))
            attempt += 1

    def _attempt(self, attempt: int) -> list[str]:
        self._context.progress.enter("checkout")
        container = f"{self._name}-{attempt}"
        job = CheckoutJob(self._scm, self._plan, self._limits, self._image(), container, self._log)
        tree, commit = CheckoutContainer(self._context, self._logs.steps, job).run()
        check_tree(tree, self._limits, what=job.what)
        return [str(tree.relative_to(self._context.directory)), commit]

    def _image(self) -> str:
        tag = self._callbacks["build_tag"]
        name = str(tag["name"] if isinstance(tag, Mapping) else tag or "")
        return work_image(self._context, tag_name=name).reference

    def _plugins(self, tree: Path) -> str:
        """Let plugins see and change a copy, which is the checkout from then on; return its name, "" without plugins."""
        if not koji.plugin.callbacks.get("postSCMCheckout"):
            return ""
        copy = self._context.directory / f"{self._name}-tree"
        copy_tree(tree, copy)
        if self._plan.clone:
            copy_clone(tree / self._plan.clone, copy / self._plan.clone, origin=self._plan.module.argv[3])
        directory = source_directory(copy, self._plan.source, recorded_source(self._scm, "")["url"])
        if misleads_git(directory, copy):
            raise koji.BuildError(f"{self._plan.source} looks like a git repository itself and is not given to plugins")
        self._call("postSCMCheckout", srcdir=str(directory))
        check_tree(copy, self._limits, what=f"{self._scm.host}:{self._scm.repository}, changed by plugins,")
        return copy.name

    def _call(self, callback: str, **more: Any) -> None:
        self._task.run_callbacks(callback, scminfo=self._scm.get_info(), **self._callbacks, **more)
