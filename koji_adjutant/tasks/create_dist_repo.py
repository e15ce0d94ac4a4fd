"""`createdistrepo`: one arch of a dist repo, of links to the hub's rpms, its debuginfo apart if asked (contract 4.3)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import koji
import koji.tasks

from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.deep_trees import remove_tree, walk
from koji_adjutant.repos.commands import LocalRepo
from koji_adjutant.repos.multilib import MULTILIB_ARCH
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.create_repo import EMPTY_REPO, EMPTY_TEXT
from koji_adjutant.tasks.dist_multilib import DistMultilib
from koji_adjutant.tasks.dist_repo import refuse_deltas
from koji_adjutant.tasks.dist_rpms import DistRpms, Packages
from koji_adjutant.tasks.repo_container import RepoContainer, in_attempts
from koji_adjutant.tasks.repo_upload import repo_store
from koji_adjutant.tasks.task_logs import TaskLogs
from koji_adjutant.tasks.work_container import WORK

DEBUG = "debug"
TREE = f"{WORK}/repo"
"""The repo in the container."""


class CreateDistRepoTask(ThreadedTask):
    """Handles `createdistrepo`. Its tree is made on this machine (links and lists), its metadata in a container."""

    Methods = ["createdistrepo"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 1.5  # noqa: N815 - koji's name

    def handler(self, tag: int | str, repo_id: int, arch: str, keys: Sequence[str], opts: Mapping[str, Any]) -> None:
        """Make and upload the repo of `arch`, which is the repo's, not the task's."""
        refuse_deltas(dict(opts))
        repo = self.session.repoInfo(repo_id, strict=True)
        if repo["state"] != koji.REPO_INIT:
            raise koji.GenericError("Repo {id} not in INIT state (got {state})".format_map(repo))
        paths = koji.PathInfo(self.options.topdir)
        top = Path(paths.distrepo(repo_id, repo["tag_name"]))
        if not top.is_dir():
            # kojid would say that all packages are missing.
            raise koji.tasks.RefuseTask(f"No access to dist repo dir {top}")
        old = self.session.getRepo(tag, dist=True, state=koji.REPO_READY)
        old_arch = Path(paths.distrepo(old["id"], repo["tag_name"])) / arch if old else None
        tree = Path(self.workdir) / "repo"
        with TaskLogs(self.context, build_log=False) as logs:
            packages = DistRpms(self, logs, keys, opts).find(tag, arch)
            in_attempts(
                self.context,
                lambda attempt: _Attempt(self, logs, attempt, arch, opts, top, old_arch).make(
                    tree, dict(packages), repo["tag_name"]
                ),
            )
            logs.finish()
        self.run_callbacks(
            "postCreateDistRepo", tag=tag, repodir=str(tree), repo_id=repo_id, arch=arch, keys=keys, opts=opts
        )
        self._upload(tree)

    def _upload(self, tree: Path) -> None:
        """Upload what is no link, each file into the directory it has in the repo, and the list of all."""
        manifest: list[str] = []
        for directory, _, names in sorted(walk(tree), key=lambda found: str(found[0])):
            below = os.path.relpath(directory, tree)
            store = repo_store(self.context, "" if below == "." else below)
            for name in sorted(names):
                path = directory / name
                if not path.is_symlink():
                    store.put(path, name)
                    manifest.append(f"{below}/{name}")
        listing = Path(self.workdir) / "repo_manifest"
        listing.write_text(json.dumps(manifest, indent=4))
        repo_store(self.context).put(listing, listing.name)


class _Attempt:
    """One attempt to make the tree."""

    def __init__(
        self,
        task: CreateDistRepoTask,
        logs: TaskLogs,
        attempt: int,
        arch: str,
        opts: Mapping[str, Any],
        top: Path,
        old: Path | None,
    ) -> None:
        self._task = task
        self._logs = logs
        self._attempt = attempt
        self._arch = arch
        self._opts = opts
        self._top = top
        self._old = old

    def make(self, tree: Path, packages: Packages, tag_name: str) -> None:
        """Make `tree` anew, with repodata."""
        context = self._task.context
        with RepoContainer.open(context, self._logs, self._attempt, tag_name=tag_name, arch=self._arch) as container:
            multilib = self._opts["multilib"]
            if multilib and self._arch in MULTILIB_ARCH:
                chosen = DistMultilib(self._task, container, self._logs, self._arch, self._top)
                packages.update(chosen.choose(packages, multilib))
            subrepos = write_tree(tree, packages, split_debuginfo=bool(self._opts.get("split_debuginfo")))
            self._send(container, tree)
            for subrepo in ("", *subrepos):
                self._createrepo(container, tree, subrepo)
        if not packages:
            (tree / "repodata" / EMPTY_REPO).write_text(EMPTY_TEXT)

    def _send(self, container: RepoContainer, tree: Path) -> None:
        """Bring the tree into the container, once: createrepo_c writes into it."""
        context = self._task.context
        context.journal.remember(
            f"tree-{self._attempt}",
            lambda: context.runtime.copy_to(container.container.handle, tree, TREE),
        )

    def _createrepo(self, container: RepoContainer, tree: Path, subrepo: str) -> None:
        directory = f"{TREE}/{subrepo}" if subrepo else TREE
        name = f"createrepo_{subrepo}" if subrepo else "createrepo"
        comps = self._top / "groups" / "comps.xml"
        old = self._old_repodata(subrepo)
        skip_stat = self._opts.get("createrepo_skip_stat") if not subrepo else None
        repo = LocalRepo(
            directory=directory,
            pkglist=f"{directory}/pkglist",
            groups=str(comps) if comps.is_file() else None,
            update=old is not None,
            skip_stat=self._task.options.distrepo_skip_stat if skip_stat is None else bool(skip_stat),
            zck=bool(self._opts.get("zck")),
            zck_dict_dir=self._zck_dictionaries(container),
        )
        container.createrepo(name, repo, old, f"{name}.log")
        container.fetch(f"{directory}/repodata", tree / subrepo / "repodata")

    def _old_repodata(self, subrepo: str) -> Path | None:
        if self._old is None or not self._task.options.createrepo_update:
            return None
        repodata = self._old / subrepo / "repodata"
        if repodata.is_dir():
            return repodata
        self._task.context.log.warning("repo.old_repodata_missing", path=str(repodata))
        return None

    def _zck_dictionaries(self, container: RepoContainer) -> str | None:
        """Return the directory of compression dictionaries, which the tools image holds, or topdir; kojid's words."""
        wanted = self._opts.get("zck_dict_dir")
        if not wanted:
            return None
        if not self._opts.get("zck"):
            raise koji.GenericError("--zck-dict-dir makes no sense without --zck")
        path = os.path.normpath(str(wanted))
        script = '[ -d "$1" ] && exit 0; [ -f "$1" ] && exit 10; exit 11'
        ended = container.container.ask([f"{BIN_DIR}/busybox", "sh", "-c", script, "sh", path])
        if ended.exit_code == 0:
            return path
        if ended.exit_code == 10:
            raise koji.GenericError(f"zchunk dir path is file: {path}")
        raise koji.GenericError(f"zchunk dir path doesn't exist: {path}")


def write_tree(tree: Path, packages: Packages, *, split_debuginfo: bool) -> list[str]:
    """Write kojipkgs, package lists and links to the rpms below `tree`; return the subrepos that are not empty."""
    # An attempt before this one may have left a tree.
    remove_tree(tree)
    tree.mkdir(parents=True)
    lists: dict[str, list[str]] = {"": []}
    for name, row in packages.items():
        if split_debuginfo and koji.is_debuginfo(row["name"]):
            row["_subrepo"] = DEBUG
        subrepo = row.get("_subrepo", "")
        place = f"Packages/{name[0].lower()}/{name}"
        lists.setdefault(subrepo, []).append(f"../{place}" if subrepo else place)
        link = tree / place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(row["_pkgpath"])
    (tree / "kojipkgs").write_text(json.dumps(packages, indent=4))
    for subrepo, places in lists.items():
        koji.ensuredir(str(tree / subrepo))
        (tree / subrepo / "pkglist").write_text("".join(f"{place}\n" for place in places))
    return [subrepo for subrepo in lists if subrepo]
