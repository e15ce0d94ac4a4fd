"""`tagBuild`: put a build into a tag, in the name of the task's owner, and have people told (contract 4.1)."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import Fault

import koji

from koji_adjutant.tasks.base import ThreadedTask


class TagBuildTask(ThreadedTask):
    """Handles `tagBuild`."""

    Methods = ["tagBuild"]  # noqa: RUF012 - koji's class attribute

    def handler(
        self,
        tag_id: int | str,
        build_id: int | str,
        force: bool = False,
        fromtag: int | str | None = None,
        ignore_success: bool = False,
    ) -> None:
        """Tag; kojid's parameters, order of hub calls and errors. The owner is told of failures too."""
        task = self.session.getTaskInfo(self.id)
        about = (tag_id, fromtag, build_id, task["owner"], ignore_success)
        try:
            build = self.session.getBuild(build_id, strict=True)
            tag = self.session.getTag(tag_id, strict=True)
            self.once(
                "tagBuild",
                lambda: self._tag(task, build, tag, tag_id, build_id, force=force, fromtag=fromtag),
                recover=lambda _: (not force and self._is_there(build, tag, fromtag), None),
            )
        except (koji.GenericError, Fault) as error:
            text = f"{type(error)}: {error}"
            self.once("notified", lambda: self.session.host.tagNotification(False, *about, text))
            raise
        # Said twice if a daemon dies in between: the hub has no way to ask whether it was said.
        self.once("notified", lambda: self.session.host.tagNotification(True, *about))

    def _tag(
        self,
        task: dict[str, Any],
        build: dict[str, Any],
        tag: dict[str, Any],
        tag_id: int | str,
        build_id: int | str,
        *,
        force: bool,
        fromtag: int | str | None,
    ) -> None:
        try:
            self.session.host.tagBuild(self.id, tag_id, build_id, force=force, fromtag=fromtag)
        except koji.TagError as error:
            if not (self._is_there(build, tag, fromtag) and self._tagged_by(task, build, tag)):
                raise
            self.context.log.info("build.tagged_before", error=str(error))

    def _is_there(self, build: dict[str, Any], tag: dict[str, Any], fromtag: int | str | None) -> bool:
        """Whether the build is where this task puts it, and no longer where it takes it from."""
        if not self._is_in(build, tag["id"]):
            return False
        return fromtag is None or not self._is_in(build, fromtag)

    def _is_in(self, build: dict[str, Any], tag: int | str) -> bool:
        rows = self.session.listTagged(tag, package=build["name"], inherit=False)
        return any(row["build_id"] == build["id"] for row in rows)

    def _tagged_by(self, task: dict[str, Any], build: dict[str, Any], tag: dict[str, Any]) -> bool:
        """Whether the task's owner has tagged the build since the task was made: an earlier run of it, freed since."""
        history = self.session.queryHistory(tables=["tag_listing"], build=build["id"], tag=tag["id"], active=True)
        return any(
            row["creator_id"] == task["owner"] and row["create_ts"] >= task["create_ts"]
            for row in history.get("tag_listing", [])
        )
