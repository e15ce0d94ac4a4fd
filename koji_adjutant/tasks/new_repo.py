"""`newRepo`: a repo of a tag, its arches made by children (contract 4.3).

Safe to start again at any place: the repo is found by its task, children by label, and what is READY is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import koji

from koji_adjutant.repos.unchanged import difference, same_arch
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.create_repo import refuse_without_repos
from koji_adjutant.tasks.repo_upload import upload_directory

Row = dict[str, Any]
LEGACY = ("src", "debuginfo", "separate_src")


class NewRepoTask(ThreadedTask):
    """Handles `newRepo`."""

    Methods = ["newRepo"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 0.1  # noqa: N815 - koji's name

    def handler(
        self,
        tag: Any,
        event: int | None = None,
        src: bool | None = None,
        debuginfo: bool | None = None,
        separate_src: bool | None = None,
        opts: Mapping[str, Any] | None = None,
    ) -> list[int]:
        """Make the repo; result: `[repo id, event id]`."""
        taginfo = self.session.getTag(tag, strict=True, event=event)
        opts = self._options(opts, dict(zip(LEGACY, (src, debuginfo, separate_src), strict=True)))
        refuse_without_repos(self.options.topdir)
        paths = koji.PathInfo(self.options.topdir)
        repo_id, event_id = self._init(taginfo, event, opts)
        if self._is_done(repo_id):
            return [repo_id, event_id]
        top = Path(paths.repo(repo_id, taginfo["name"]))
        if not top.is_dir():
            raise koji.GenericError(f"Repo directory missing: {top}")
        old, old_top = self._old_repo(taginfo, paths)
        cloned = self._clones(old, old_top, top, {"tag_id": taginfo["id"], "create_event": event_id})
        data = {arch: upload_directory(self.context, path, arch) for arch, path in cloned.items()}
        data |= self._made_by_children(repo_id, [arch for arch in arches_of(top) if arch not in cloned], old)
        self._done(repo_id, data, old, list(cloned))
        return [repo_id, event_id]

    def _options(self, opts: Mapping[str, Any] | None, legacy: Mapping[str, Any]) -> Mapping[str, Any] | None:
        given = {name: bool(value) for name, value in legacy.items() if value is not None}
        if not given:
            return opts
        if opts is not None:
            raise koji.ParameterError("opts parameter cannot be combined with legacy options")
        self.context.log.warning("repo.legacy_options", options=sorted(given))
        return given

    def _init(self, taginfo: Row, event: int | None, opts: Mapping[str, Any] | None) -> tuple[int, int]:
        """Have the hub make the repo's row and directory, or find those of an earlier run of this task."""
        at_event = {} if event is None else {"event": event}

        def make() -> list[int]:
            # Asked even without a journal: this may be the second host that has the task.
            found, known = self._found()
            return (
                known
                if found
                else list(self.session.host.repoInit(taginfo["id"], opts=opts, task_id=self.id, **at_event))
            )

        repo_id, event_id = self.once("repoInit", make, recover=lambda _: self._found())
        return int(repo_id), int(event_id)

    def _found(self) -> tuple[bool, list[int]]:
        states = [koji.REPO_INIT, koji.REPO_READY]
        try:
            rows = self.session.repo.query(
                [["task_id", "=", self.id], ["state", "IN", states]], ["id", "create_event"], {"order": "-id"}
            )
        except (koji.GenericError, Fault) as error:
            if isinstance(error, koji.AuthError):
                raise
            # A hub before 1.35 cannot be asked: then a repo of an earlier run is left behind, as kojid leaves it.
            self.context.log.info("repo.query_unknown", error=str(error))
            return False, []
        return (True, [rows[0]["id"], rows[0]["create_event"]]) if rows else (False, [])

    def _is_done(self, repo_id: int) -> bool:
        return bool(self.session.repoInfo(repo_id, strict=True)["state"] == koji.REPO_READY)

    def _old_repo(self, taginfo: Row, paths: koji.PathInfo) -> tuple[Row | None, Path | None]:
        """Find a repo to start from: the tag's own, one of a hinted tag, or of the nearest parent that has one."""
        if not self.options.createrepo_update:
            return None, None
        for tag in self._related_tags(taginfo):
            repo = self.session.getRepo(tag["id"])
            if repo:
                return {**repo, "tag_id": tag["id"]}, Path(paths.repo(repo["id"], tag["name"]))
        return None, None

    def _related_tags(self, taginfo: Row) -> Any:
        yield taginfo
        hints = taginfo["extra"].get("repo.oldrepo_hint", [])
        for hint in hints if isinstance(hints, list) else [hints]:
            tag = self.session.getTag(hint, strict=False)
            if tag:
                yield tag
            else:
                self.context.log.warning("repo.bad_hint", tag=hint)
        for link in sorted(self.session.getFullInheritance(taginfo["id"]), key=lambda link: link["currdepth"]):
            yield {"id": link["parent_id"], "name": link["name"]}

    def _clones(self, old: Row | None, old_top: Path | None, top: Path, new: Row) -> dict[str, Path]:
        """Return the old repodata, by arch, that the new repo may have as it is (`copy_old_repodata`)."""
        if not self.options.copy_old_repodata or old is None or old_top is None:
            return {}
        why_not = difference(old_top, top)
        if not why_not and any(
            self.session.getExternalRepoList(repo["tag_id"], event=repo["create_event"]) for repo in (old, new)
        ):
            why_not = "external repos may have changed"
        if why_not:
            self.context.log.info("repo.not_copied", reason=why_not)
            return {}
        return {
            arch: old_top / arch / "repodata"
            for arch in arches_of(top)
            if same_arch(old_top / arch, top / arch) and (old_top / arch / "repodata").is_dir()
        }

    def _made_by_children(self, repo_id: int, arches: list[str], old: Row | None) -> dict[str, list[Any]]:
        children = {arch: self._child(repo_id, arch, old) for arch in arches}
        if not children:
            return {}
        results = self.wait(list(children.values()), all=True, failany=True)
        return {arch: results[child] for arch, child in children.items()}

    def _child(self, repo_id: int, arch: str, old: Row | None) -> int:
        def start(label: str) -> int:
            return int(
                self.session.host.subtask(
                    method="createrepo", arglist=[repo_id, arch, old], label=label, parent=self.id, arch="noarch"
                )
            )

        def start_for_this_repo() -> int:
            child = start(arch)
            # The hub gives back the child of that label of an earlier run, which may have worked for another repo.
            request = self.session.getTaskInfo(child, request=True)["request"]
            return child if request[0] == repo_id else start(f"{arch}-{repo_id}")

        return int(self.once(f"subtask-{arch}", start_for_this_repo))

    def _done(self, repo_id: int, data: Mapping[str, Any], old: Row | None, cloned: list[str]) -> None:
        updates = {}
        if cloned and old is not None:
            updates = {"repo_json_updates": {"cloned_from_repo_id": old["id"], "cloned_archs": cloned}}

        def look(_: object) -> tuple[bool, None]:
            return self.session.repoInfo(repo_id, strict=True)["state"] != koji.REPO_INIT, None

        self.once("repoDone", lambda: self.session.host.repoDone(repo_id, data, **updates), recover=look)


def arches_of(top: Path) -> list[str]:
    """Return the arches for which the hub has made a package list."""
    return sorted(path.parent.name for path in top.glob("*/pkglist") if path.parent.name != "groups")
