"""`createrepo`: the repodata of one arch of a tag's repo (contract 4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import koji
import koji.tasks

from koji_adjutant.repos.commands import LocalRepo, Merge
from koji_adjutant.repos.externals import Rows, external_urls, merge_mode, outside
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.repo_container import RepoContainer, in_attempts
from koji_adjutant.tasks.repo_upload import upload_directory
from koji_adjutant.tasks.task_logs import TaskLogs
from koji_adjutant.tasks.work_container import WORK

EMPTY_REPO = "EMPTY_REPO"
EMPTY_TEXT = "This repo is empty because its tag has no content for this arch\n"
OUTPUT = f"{WORK}/repo"


@dataclass(frozen=True)
class _Job:
    """What is to be made, all of it known before a container starts."""

    repo: Mapping[str, Any]
    """The hub's `repoInfo`."""
    arch: str
    directory: Path
    pkglist: Path | None
    """None: the tag has nothing for this arch."""
    groups: str | None
    old_repodata: Path | None
    externals: Rows

    @property
    def urls(self) -> list[str]:
        return external_urls(self.externals, self.arch)


class CreaterepoTask(ThreadedTask):
    """Handles `createrepo`."""

    Methods = ["createrepo"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 1.5  # noqa: N815 - koji's name

    def handler(self, repo_id: int, arch: str, oldrepo: Mapping[str, Any] | None) -> list[object]:
        """Make the repodata; `arch` is the repo's, not the task's. Result: `[upload directory, [file names]]`."""
        repo = self.session.repoInfo(repo_id, strict=True)
        if repo["state"] != koji.REPO_INIT:
            raise koji.GenericError("Repo {id} not in INIT state (got {state})".format_map(repo))
        paths = koji.PathInfo(self.options.topdir)
        top = Path(paths.repo(repo_id, repo["tag_name"]))
        directory = self._arch_directory(top, arch)
        pkglist, comps = directory / "pkglist", top / "groups" / "comps.xml"
        empty = pkglist.stat().st_size == 0
        job = _Job(
            repo=repo,
            arch=arch,
            directory=directory,
            pkglist=None if empty else pkglist,
            groups=str(comps) if comps.is_file() else None,
            old_repodata=None if empty else self._old_repodata(paths, arch, oldrepo),
            externals=self.session.getExternalRepoList(repo["tag_id"], event=repo["create_event"]),
        )
        output = Path(self.workdir) / "repo"
        with TaskLogs(self.context, build_log=False) as logs:
            in_attempts(self.context, lambda attempt: self._make(job, logs, attempt, output / "repodata"))
            logs.finish()
        self._call_plugins(repo, arch, output)
        return upload_directory(self.context, output / "repodata")

    def _arch_directory(self, top: Path, arch: str) -> Path:
        directory = top / arch
        if not directory.is_dir():
            refuse_without_repos(self.options.topdir)
            raise koji.GenericError(f"Repo directory missing: {directory}")
        return directory

    def _old_repodata(self, paths: koji.PathInfo, arch: str, oldrepo: Mapping[str, Any] | None) -> Path | None:
        if not oldrepo or not self.options.createrepo_update:
            return None
        # It may be another tag's, so its path comes of its own row.
        row = self.session.repoInfo(oldrepo["id"], strict=True)
        repodata = Path(paths.repo(row["id"], row["tag_name"])) / arch / "repodata"
        if repodata.is_dir():
            return repodata
        self.context.log.warning("repo.old_repodata_missing", path=str(repodata))
        return None

    def _make(self, job: _Job, logs: TaskLogs, attempt: int, target: Path) -> None:
        try:
            mode = merge_mode(job.externals) if job.externals else ""
        except ValueError as error:
            raise koji.GenericError(str(error)) from error
        if unseen := outside(job.urls, self.options.topdir):
            raise koji.GenericError(
                f"failed to merge repos: {', '.join(unseen)}: external repos on the builder's own disk can only be used "
                f"below {self.options.topdir}; serve them by HTTP"
            )
        # The name of kojid's place for the unmerged repo: pkgorigins tells by it which packages are the hub's own.
        local = f"{WORK}/repo_{job.repo['id']}_premerge" if mode else OUTPUT
        with RepoContainer.open(
            self.context, logs, attempt, tag_name=job.repo["tag_name"], arch=job.arch, urls=job.urls
        ) as container:
            container.createrepo("createrepo", self._local_repo(job, local), job.old_repodata, "createrepo.log")
            if mode:
                merge = Merge(
                    mode=mode,
                    arch=job.arch,
                    repos=[f"file://{local}/", *job.urls],
                    output=OUTPUT,
                    blocklist=str(job.directory / "blocklist"),
                    groups=job.groups,
                )
                container.mergerepo(merge, "mergerepos.log")
            container.fetch(f"{OUTPUT}/repodata", target)
        if not mode and job.pkglist is None:
            (target / EMPTY_REPO).write_text(EMPTY_TEXT)

    def _local_repo(self, job: _Job, output: str) -> LocalRepo:
        return LocalRepo(
            directory=output if job.pkglist is None else str(job.directory),
            output=output,
            pkglist=None if job.pkglist is None else str(job.pkglist),
            groups=job.groups,
            update=job.old_repodata is not None,
            skip_stat=self.options.createrepo_skip_stat,
        )

    def _call_plugins(self, repo: Mapping[str, Any], arch: str, output: Path) -> None:
        tag = self.session.getTag(repo["tag_id"], event=repo["create_event"], strict=True)["name"]
        self.run_callbacks("postCreateRepo", tag=tag, repodir=str(output), repo_id=repo["id"], arch=arch)


def refuse_without_repos(topdir: str) -> None:
    """Leave the task to another host if this one does not see the hub's repositories; kojid's words."""
    repos = Path(topdir) / "repos"
    if not repos.is_dir():
        raise koji.tasks.RefuseTask(f"No access to repos dir {repos}")
