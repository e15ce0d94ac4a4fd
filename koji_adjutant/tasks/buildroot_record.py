"""The buildroot as the hub knows it: made, listed, built in, expired (contract 4.0.1, 4.0.6, 7.2).

Every call is safe over a death of the daemon: between intent and result the hub is asked what happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xmlrpc.client import Fault

import koji

from koji_adjutant.errors import AdjutantError, Interrupted, SessionLost
from koji_adjutant.tasks.base import ThreadedTask


@dataclass(frozen=True)
class RepoTag:
    """A repo of the hub and the build tag's configuration at the repo's event; both as the hub gave them."""

    repo: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def repo_id(self) -> int:
        return int(self.repo["id"])

    @property
    def event(self) -> int:
        return int(self.repo["create_event"])

    @property
    def tag_name(self) -> str:
        return str(self.config["name"])

    def path(self, arch: str) -> str:
        """Return the repository's path below topurl (contract 6.1)."""
        return f"repos/{self.tag_name}/{self.repo_id}/{arch}"


def repo_tag(session: Any, repo_info: Mapping[str, Any], tag: int | str, log: Any) -> RepoTag:
    """Check a repo against the tag it shall serve (contract 4.0.1, steps 3 to 5).

    Raises:
        koji.BuildrootError: kojid's texts.
    """
    config = session.getBuildConfig(tag, event=repo_info["create_event"])
    if not config:
        raise koji.BuildrootError(f"Could not get config info for tag: {tag}")
    if config["id"] != repo_info["tag_id"]:
        raise koji.BuildrootError(f"tag/repo mismatch: {config['name']} vs {repo_info['tag_name']}")
    state = koji.REPO_STATES[repo_info["state"]]
    if state == "EXPIRED":
        log.info("repo.expired", repo_id=repo_info["id"], note="still intact, used as asked")
    elif state != "READY":
        raise koji.BuildrootError(f"Requested repo ({repo_info['id']}) is {state}")
    return RepoTag(repo_info, config)


class BuildrootRecord:
    """One buildroot of one task at the hub. `id` is known after `create`."""

    def __init__(self, task: ThreadedTask, repo: RepoTag, arch: str) -> None:
        self._task = task
        self._repo = repo
        self._arch = arch
        self.id = 0

    @property
    def name(self) -> str:
        """Kojid's name of the root: `<tag>-<id>-<repo id>`."""
        return f"{self._repo.tag_name}-{self.id}-{self._repo.repo_id}"

    def for_plugins(self) -> dict[str, Any]:
        """Return what callbacks get: attributes of kojid's BuildRoot under their names there."""
        return {
            "id": self.id,
            "name": self.name,
            "tag_id": int(self._repo.config["id"]),
            "tag_name": self._repo.tag_name,
            "repoid": self._repo.repo_id,
            "event_id": self._repo.event,
            "task_id": int(self._task.id),
            "br_arch": self._arch,
        }

    def create(self) -> int:
        """Make the buildroot, or find the one this run of the task has made."""
        self.id = self._task.once("newBuildRoot", self._new, recover=self._find)
        return self.id

    def set_list(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Tell the hub what the root holds; legal exactly once, in state INIT."""
        session = self._task.session
        self._task.once(
            "setBuildRootList",
            lambda: session.host.setBuildRootList(self.id, list(entries)),
            recover=lambda _: (bool(session.listRPMs(componentBuildrootID=self.id, queryOpts={"limit": 1})), None),
        )

    def building(self) -> None:
        """Set the state BUILDING; setting it again changes nothing at the hub."""
        self._task.once("building", lambda: self._task.session.host.setBuildRootState(self.id, "BUILDING"))

    def update_list(self, entries: Sequence[Mapping[str, Any]], attempt: int) -> None:
        """Add what an attempt installed; the hub takes only what it does not have, so repeating is safe.

        Told once in each attempt: a later one may have installed what the one before it did not get to.
        """
        self._task.once(
            f"updateBuildRootList-{attempt}",
            lambda: self._task.session.host.updateBuildRootList(self.id, list(entries)),
        )

    def expire(self) -> None:
        """Set the state EXPIRED; the hub ignores a second time."""
        if self.id:
            self._task.once("expired", lambda: self._task.session.host.setBuildRootState(self.id, "EXPIRED"))

    def expire_failed(self) -> None:
        """Expire after a failure, which is the caller's to say: an error of this is only logged.

        The sweep expires a root whose task has ended anyway.

        Raises:
            Interrupted, SessionLost: the task does not end here and now.
        """
        try:
            self.expire()
        except (Interrupted, SessionLost):
            raise
        except (koji.GenericError, Fault, AdjutantError) as error:
            self._task.context.log.warning("buildroot.not_expired", buildroot_id=self.id, error=str(error))

    def _new(self) -> int:
        made = self._task.session.host.newBuildRoot(self._repo.repo_id, self._arch, task_id=self._task.id)
        if made is None:
            raise koji.BuildrootError("failed to get a buildroot id")
        return int(made)

    def _find(self, _: Any) -> tuple[bool, Any]:
        """A call without a known reply: one fresh buildroot of this task and repo is ours, anything else is expired."""
        session = self._task.session
        init = koji.BR_STATES["INIT"]
        fresh = [
            row
            for row in session.listBuildroots(taskID=self._task.id, hostID=session.host.getID(), state=init)
            if row["repo_id"] == self._repo.repo_id and row["arch"] == self._arch
        ]
        if len(fresh) == 1:
            return True, int(fresh[0]["id"])
        for row in fresh:
            session.host.setBuildRootState(row["id"], "EXPIRED")
        return False, None
