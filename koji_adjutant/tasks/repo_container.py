"""The container in which a task's repodata is made: createrepo_c and mergerepo_c over the hub's files, seen read-only.

topdir stands in it where it stands here, since the hub's `pkglist` and `toplink` lead through it. External repos come
through the daemon's proxy; a repo without any has no network at all. What the programs write is read as hostile: they
have parsed packages that users sent.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

import koji
import koji.util

from koji_adjutant.buildroot.repo_proxy import PROXY_SOCKET, PROXY_URL, RepoProxy
from koji_adjutant.container.interface import Network, ResourceLimits, VolumeMount
from koji_adjutant.container.steps import BIN_DIR, StepEnd, StepStatus
from koji_adjutant.errors import ContainerError, ExecError
from koji_adjutant.hub.names import plain_name
from koji_adjutant.repos.commands import (
    MERGEREPO,
    LocalRepo,
    Merge,
    Version,
    createrepo_command,
    mergerepo_command,
    parse_version,
)
from koji_adjutant.repos.externals import remote_urls
from koji_adjutant.tasks.attempts import Retry, backoff, retry
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.task_logs import TaskLogs
from koji_adjutant.tasks.work_container import ENVIRONMENT, WORK, WorkContainer, WorkRequest, work_image

T = TypeVar("T")
NO_PROGRAM = 127
"""Exit code of a shell that does not find what it should execute."""

FRESH_OUTPUT = """set -e
{busybox} rm -rf "$1/repodata"
{busybox} mkdir -p "$1"
if [ -n "$2" ]; then
    {busybox} cp -R "$2" "$1/repodata"
    {busybox} rm -f "$1/repodata/pkgorigins.gz" "$1/repodata/EMPTY_REPO"
fi
shift 2
exec "$@"
"""
"""Runs a command on an output directory that holds nothing but, with `--update`, the old repodata.

As under kojid pkgorigins goes: mergerepo_c writes it anew where there are external repos. What says that the old repo is
empty goes too: createrepo_c would hand it on.
"""


class RepoContainer:
    """One attempt's container; used by the task's thread. A context manager, for its proxy."""

    def __init__(self, context: TaskContext, logs: TaskLogs, container: WorkContainer, proxy: RepoProxy | None) -> None:
        self.container = container
        self._context = context
        self._logs = logs
        self._proxy = proxy
        self._token = uuid.uuid4().hex
        """Tells this daemon's steps from those of one before it."""

    @classmethod
    def open(
        cls, context: TaskContext, logs: TaskLogs, attempt: int, *, tag_name: str, arch: str, urls: Sequence[str] = ()
    ) -> Self:
        """Start the container of an attempt, or find it again; `urls` are the external repos it must reach.

        Raises:
            ConfigurationError: a URL that the proxy cannot serve.
            ContainerError: as `work_image` and `WorkContainer.open`.
        """
        remote = remote_urls(urls)
        proxy, directory = None, context.directory / f"proxy-{attempt}"
        if remote and context.proxied:
            directory.mkdir(parents=True, exist_ok=True)
            proxy = RepoProxy(
                directory / Path(PROXY_SOCKET).name,
                remote,
                cache=context.shared.package_cache,
                upstream_proxy=context.options.yum_proxy,
            )
        try:
            if proxy is not None:
                proxy.start()
            network = Network.PRIVATE if remote and proxy is None else Network.NONE
            image = work_image(context, tag_name=tag_name, arch=arch).reference
            relay = directory if proxy is not None else None
            request = replace(_request(context, attempt, image, network, relay), tag=tag_name)
            container = WorkContainer.open(context, logs.steps, request)
        except BaseException:
            # Nobody has this object yet who could stop it.
            if proxy is not None:
                proxy.stop()
            raise
        return cls(context, logs, container, proxy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._proxy is not None:
            self._proxy.stop()

    def createrepo(self, step: str, repo: LocalRepo, old_repodata: Path | None, log: str) -> None:
        """Run createrepo_c, with a copy of `old_repodata` to start from if `repo.update`.

        Raises:
            koji.GenericError: "failed to create repo: ...".
        """
        command = createrepo_command(repo)
        old = str(old_repodata) if old_repodata is not None and repo.update else ""
        argv = [*_on_fresh_output(repo.output or repo.directory, old), *command]
        status = self.container.run(step, argv, log, shown=command)
        if not status.ok:
            raise koji.GenericError(f"failed to create repo: {how_it_ended(status, command)}")

    def mergerepo(self, merge: Merge, log: str) -> None:
        """Run mergerepo_c.

        Raises:
            koji.GenericError: "failed to merge repos: ...", or that mergerepo_c is too old for the mode.
        """
        try:
            command = mergerepo_command(merge, self._mergerepo_version())
        except ValueError as error:
            raise koji.GenericError(str(error)) from error
        env = {**ENVIRONMENT, "TMPDIR": WORK}
        if self._proxy is not None:
            env |= {"http_proxy": PROXY_URL, "https_proxy": PROXY_URL}
        status = self._merge(merge.output, command, log, env)
        if not status.ok:
            raise koji.GenericError(f"failed to merge repos: {how_it_ended(status, command)}")

    def _merge(self, output: str, command: list[str], log: str, env: dict[str, str]) -> StepStatus:
        """Merge, and merge again what failed while a daemon died: the proxy had died with it."""
        remember = self._context.journal.remember
        argv = [*_on_fresh_output(output), *command]
        for number in itertools.count(1):
            step = f"mergerepo-{number}"
            ours = remember(f"{self.container.handle.name}:{step}", lambda: self._token) == self._token
            status = self.container.run(step, argv, log, env=env, shown=command)
            if status.ok or ours or self._proxy is None:
                break
            self._context.log.warning("repo.merged_again", step=step)
        return status

    def fetch(self, directory: str, target: Path) -> None:
        """Copy the files of a container's directory into `target`, which is made; anything but plain files is refused.

        Raises:
            koji.GenericError: a name or a kind of file that no repository has.
        """
        target.mkdir(parents=True, exist_ok=True)
        for entry in self.container.list_files(directory):
            if not entry.is_regular or not plain_name(entry.name):
                raise koji.GenericError(
                    f"failed to create repo: {directory} holds {entry.name!r}, which is no metadata"
                )
            with (target / entry.name).open("wb") as stream:
                limit = self._context.config.build.result_max_bytes
                self.container.copy_from(f"{directory}/{entry.name}", stream, max_bytes=limit)

    def _mergerepo_version(self) -> Version | None:
        try:
            version = parse_version(self.container.ask([MERGEREPO, "--version"]).stdout)
        except ExecError as error:
            if error.retryable:
                raise
            version = None
        if version is None:
            self._context.log.warning("repo.mergerepo_version_unknown", program=MERGEREPO)
        return version


def in_attempts(context: TaskContext, work: Callable[[int], T]) -> T:
    """Return what `work` returns for the first attempt that loses no container (design section 7, Verdicts).

    Nothing of a spec runs here, so whatever the runtime says may pass is tried again.
    """
    attempt = 1
    while True:
        if not context.journal.done(f"attempt-{attempt}-over"):
            try:
                return work(attempt)
            except ContainerError as error:
                if retry(error, attempt, spec_ran=False, lost_before=False) is Retry.NO:
                    raise
                context.log.warning("repo.retried", attempt=attempt, reason=error.reason, error=str(error))
            context.journal.remember(f"attempt-{attempt}-over", lambda: True)
            for info in context.runtime.list_managed(context.labels(f"work-repo-{attempt}")):
                context.runtime.remove(info.handle)
            context.interruption.sleep(backoff(attempt))
        attempt += 1


def _request(context: TaskContext, attempt: int, image: str, network: Network, relay: Path | None) -> WorkRequest:
    build = context.config.build
    topdir = str(context.options.topdir)
    return WorkRequest(
        name=f"repo-{attempt}",
        image=image,
        network=network,
        mounts=(VolumeMount(topdir, os.path.realpath(topdir)),),
        limits=ResourceLimits(cpus=build.cpus, memory_bytes=build.memory, pids=build.pids, nofile=build.nofile),
        relay=relay,
    )


def _on_fresh_output(output: str, old_repodata: str = "") -> list[str]:
    busybox = f"{BIN_DIR}/busybox"
    return [busybox, "sh", "-c", FRESH_OUTPUT.format(busybox=busybox), "sh", output, old_repodata]


def how_it_ended(status: StepStatus, command: Sequence[str]) -> str:
    """Return kojid's words for the end of a command that failed, and the reason where it is the builder's."""
    shell = koji.util.format_shell_cmd(list(command))
    if status.end is not StepEnd.EXITED:
        return f"{shell} was ended: {status.end.value} {status.message}".rstrip()
    wait_status = status.signal if status.signal is not None else (status.exit_code or 0) << 8
    words = str(koji.util.parseStatus(wait_status, shell))
    if status.oom_kills:
        words += (
            f" (out of memory: the limit of the builder's setting build.memory killed {status.oom_kills} processes)"
        )
    elif status.exit_code == NO_PROGRAM:
        words += " (the builder's tools image has no such program)"
    return words
