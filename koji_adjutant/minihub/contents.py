"""What is in a hub, put there from Python: users, hosts, tags, targets, repos, packages, tasks."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import koji
import structlog

from koji_adjutant.errors import HubError
from koji_adjutant.minihub import packages as own_packages
from koji_adjutant.minihub import repo_init, repo_states, repos, scheduler, tags, tasks
from koji_adjutant.minihub.context import METHODS, Context, Session, State
from koji_adjutant.minihub.files import EXTERNAL
from koji_adjutant.minihub.repo_tree import RepoPlan, write_repo

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Credentials:
    """A user that can log in."""

    user: str
    password: str


class Contents:
    """Calls of the administrator without HTTP. From any thread; what is there already is changed, not doubled."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.topdir = Path(state.topdir)
        self.port = 0

    @property
    def topurl(self) -> str:
        raise NotImplementedError

    def _context(self) -> Context:
        admin = self.state.db.value("SELECT id FROM users WHERE name = 'admin'")
        return Context(self.state, Session(logged_in=True, user_id=admin, user_name="admin"), None)

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Any call of the API as the administrator, without HTTP."""
        with self.state.lock, self.state.db.transaction():
            return METHODS[method](self._context(), *args, **kwargs)

    def add_user(self, name: str, password: str | None = None, *, perms: Sequence[str] = ()) -> Credentials:
        """A user, or a new password and more permissions for one that is there."""
        chosen = password or secrets.token_urlsafe(18)
        with self.state.lock, self.state.db.transaction():
            if self.state.db.value("SELECT id FROM users WHERE name = ?", (name,)) is None:
                self.state.db.insert("users", name=name)
            self.state.db.run("UPDATE users SET password = ? WHERE name = ?", (chosen, name))
        for perm in perms:
            if perm not in self.call("getUserPerms", name):
                self.call("grantPermission", name, perm)
        return Credentials(name, chosen)

    def add_host(
        self, name: str, arches: str = "x86_64", password: str | None = None, *, capacity: float = 2.0,
        channels: Sequence[str] = ("createrepo", "maven", "image", "runroot"),
    ) -> Credentials:  # fmt: skip
        """A host in channel default and those named, or changes to one that is there."""
        if self.call("getHost", name) is None:
            self.call("addHost", name, arches)
        self.call("editHost", name, capacity=capacity, arches=arches)
        known = {channel["name"] for channel in self.call("listChannels", hostID=name)}
        for channel in channels:
            if channel not in known:
                self.call("addHostToChannel", name, channel, create=True)
        return self.add_user(name, password)

    def add_tag(
        self, name: str, arches: str | None = "x86_64", *, extra: Mapping[str, Any] | None = None,
        groups: Mapping[str, Sequence[str]] | None = None, parent: str | None = None,
    ) -> int:  # fmt: skip
        """A tag, or changes to one that is there; its id. `groups` maps a group's name to its packages."""
        if self.call("getTag", name) is None:
            self.call("createTag", name, parent=parent, arches=arches)
        self.call("editTag2", name, arches=arches, extra=dict(extra or {}))
        with self.state.lock, self.state.db.transaction():
            tag_id = int(self.state.db.value("SELECT id FROM tag WHERE name = ?", (name,)))
            for group, members in (groups or {}).items():
                self._set_group(tag_id, group, members)
        return tag_id

    def _set_group(self, tag_id: int, group: str, members: Sequence[str]) -> None:
        database = self.state.db
        group_id = database.value("SELECT id FROM groups WHERE name = ?", (group,)) or database.insert(
            "groups", name=group
        )
        where = (tag_id, group_id)
        known = database.rows("SELECT package FROM group_package_listing WHERE tag_id = ? AND group_id = ?", where)
        if {row["package"] for row in known} == set(members):
            return
        database.run("DELETE FROM group_package_listing WHERE tag_id = ? AND group_id = ?", where)
        for package in dict.fromkeys(members):
            database.insert("group_package_listing", tag_id=tag_id, group_id=group_id, package=package)
        self.state.tag_changed(tag_id)

    def add_target(self, name: str, build_tag: str, dest_tag: str) -> None:
        """A target, unless it is there."""
        if self.call("getBuildTarget", name) is None:
            self.call("createBuildTarget", name, build_tag, dest_tag)

    def add_package(self, tag: str, name: str, owner: str = "admin") -> None:
        """List a package in a tag."""
        self.call("packageListAdd", tag, name, owner=owner)

    def add_external_repo(self, name: str, url: str, *, tag: str, priority: int | None = None) -> int:
        """An external repo of a tag, by URL or path; its id. A directory of this machine is served by this hub.

        Call after `start` for a path: the URL then has this hub's port in it. `$arch` in a URL stands for the arch.
        """
        directory = _local_directory(url)
        if directory is not None and not self.port:
            raise HubError(
                "An external repo given by path needs a hub that has a port", resolution="Start the hub first."
            )
        shown = f"{self.topurl}/{EXTERNAL}/{name}/" if directory is not None else url
        with self.state.lock, self.state.db.transaction():
            self.state.db.run(
                "INSERT INTO external_repo (name, url, directory) VALUES (?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET url = excluded.url, directory = excluded.directory",
                (name, shown, directory),
            )
            repo_id = int(self.state.db.value("SELECT id FROM external_repo WHERE name = ?", (name,)))
            tag_id = tags.strict_tag(self._context(), tag)["id"]
            values = (tag_id, repo_id)
            self.state.db.run("DELETE FROM tag_external_repos WHERE tag_id = ? AND external_repo_id = ?", values)
            if priority is None:
                last = self.state.db.value("SELECT max(priority) FROM tag_external_repos WHERE tag_id = ?", (tag_id,))
                priority = (last or 0) + 5
            self.state.db.insert("tag_external_repos", tag_id=tag_id, external_repo_id=repo_id, priority=priority)
            self.state.tag_changed(tag_id)
        return repo_id

    def add_rpm(self, tag: str, path: str | os.PathLike[str]) -> int:
        """A package of the tag's own, from an rpm file (copied), in a build that no task made; its rpm id."""
        with self.state.lock, self.state.db.transaction():
            return own_packages.add_package(self._context(), tag, Path(path))

    def add_repo(self, tag: str, *, comps: str | os.PathLike[str] | None = None) -> int:
        """Make a repo of what the tag has now (own rpms, external repos, groups or a `comps` file); its id, READY.

        Raises HubError naming the external repo or tool that failed. External repos given by path need a started hub.
        """
        with self.state.lock, self.state.db.transaction():
            plan = self._plan(tag, None if comps is None else Path(comps))
        try:
            write_repo(plan)
        except BaseException:
            self._set_repo_state(plan.repo_id, koji.REPO_STATES["PROBLEM"])
            raise
        self._set_repo_state(plan.repo_id, koji.REPO_STATES["READY"])
        _log.info("hub.repo_made", tag=tag, repo=plan.repo_id, external=len(plan.urls))
        return plan.repo_id

    def _plan(self, tag: str, comps: Path | None) -> RepoPlan:
        ctx = self._context()
        info = tags.get_build_config(ctx, tag)
        repo_id, _event = repo_init.init_repo(ctx, info["id"])
        return RepoPlan(
            repo_id=repo_id,
            directory=Path(self.state.paths.repo(repo_id, info["name"])),
            groups=bool(tags.get_tag_groups(ctx, info["id"])),
            urls=[row["url"] for row in repos.get_external_repo_list(ctx, tag)],
            comps=comps,
        )

    def _set_repo_state(self, repo_id: int, state: int) -> None:
        with self.state.lock, self.state.db.transaction():
            ctx = self._context()
            repo_states.set_state(ctx, repo_id, state)
            if state == koji.REPO_STATES["READY"]:
                repo_states.point_latest(ctx, repos.strict_repo(ctx, repo_id))

    def add_upload(self, name: str, data: bytes, directory: str = "cli-build") -> str:
        """Put a file below work/, as a client's upload would; its path relative to work/."""
        relative = os.path.join(directory, secrets.token_hex(8), name)
        target = self.topdir / "work" / relative
        target.parent.mkdir(parents=True)
        target.write_bytes(data)
        return relative

    def make_task(self, method: str, arglist: Sequence[Any], **options: Any) -> int:
        """A task, as an administrator's makeTask."""
        with self.state.lock, self.state.db.transaction():
            return tasks.make_task(self._context(), method, list(arglist), **options)

    def run_scheduler(self) -> None:
        """One pass of the scheduler, now."""
        with self.state.lock, self.state.db.transaction():
            scheduler.run(self.state, force=True)


def _local_directory(url: str) -> str | None:
    """The directory meant by a path or file:// URL; None for anything else."""
    parts = urlsplit(url)
    if parts.scheme not in ("", "file"):
        return None
    return os.path.realpath(parts.path if parts.scheme else url)
