"""`buildNotification`: tell people by mail how a build has ended (contract 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xmlrpc.client import Fault

import koji
import koji.util

from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.build_report import BuildFacts, TaskFacts, build_message
from koji_adjutant.tasks.mail import send

CHANGES = 3
"""Entries of the changelog in a mail."""


class BuildNotificationTask(ThreadedTask):
    """Handles `buildNotification`."""

    Methods = ["buildNotification"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 0.1  # noqa: N815 - koji's name

    def handler(
        self, recipients: Sequence[str], build: Mapping[str, Any], target: Mapping[str, Any] | None, weburl: str
    ) -> str | None:
        """Send the mail, if there is somebody to tell; kojid's parameters, order of hub calls and result."""
        if not recipients:
            self.context.log.info("notification.not_sent", recipients=0)
            return None
        facts = BuildFacts(
            build=build,
            target=target,
            tasks=self._tasks(build["task_id"]),
            weburl=weburl,
            topurl=self.options.topurl,
            canceler=self._canceler(build),
            changelog=self._changelog(build["id"]),
        )
        message = build_message(facts, from_addr=self.options.from_addr, recipients=recipients)
        # Sent twice if a daemon dies in between: no mail server can be asked whether it has a mail.
        self.once("mail", lambda: send(self.options, recipients, message))
        return f"sent notification of build {build['id']} to: {', '.join(recipients)}"

    def _tasks(self, task_id: int) -> list[TaskFacts]:
        """Return the task and its children, each before its own; what is no task has none."""
        info = self.session.getTaskInfo(task_id)
        if not info:
            return []
        host = self.session.getHost(info["host_id"]) if info["host_id"] else None
        result = self._result(task_id)
        files = self.session.listTaskOutput(task_id, all_volumes=True)
        request = self.session.getTaskRequest(task_id)
        facts = task_facts({**info, "request": request}, host["name"] if host else None, result, files)
        children = self.session.getTaskChildren(task_id)
        return [facts, *(task for child in children for task in self._tasks(child["id"]))]

    def _result(self, task_id: int) -> str:
        """Return what a task has ended with, as people shall read it."""
        try:
            result = self.session.getTaskResult(task_id)
        except Fault as error:
            result = error.faultString.strip()
        except koji.GenericError as error:
            result = f"{type(error).__name__}: {error}".strip()
        return str(result) if result else "Unknown"

    def _canceler(self, build: Mapping[str, Any]) -> str | None:
        """Return who cancelled the build: the hub makes this task in the name of whoever did."""
        if build["state"] != koji.BUILD_STATES["CANCELED"]:
            return None
        owner = self.session.getTaskInfo(self.id)["owner"]
        return self.session.getUser(owner)["name"] if owner else None

    def _changelog(self, build_id: int) -> str:
        entries = self.session.getChangelogEntries(build_id, queryOpts={"limit": CHANGES})
        text: str = koji.util.formatChangelog(entries)
        return text


def task_facts(info: Mapping[str, Any], host: str | None, result: str, files: Mapping[str, Sequence[str]]) -> TaskFacts:
    """Sort what a task has put out (`listTaskOutput(all_volumes=True)`) by kind. Pure."""
    everywhere = sorted((volume, name) for name, volumes in files.items() for volume in volumes)
    rpms = [name for name in files if name.endswith(".rpm")]
    return TaskFacts(
        info=info,
        host=host,
        result=result,
        logs=tuple((name, volume) for volume, name in everywhere if name.endswith(".log")),
        rpms=tuple(sorted(name for name in rpms if not name.endswith(".src.rpm"))),
        srpms=tuple(name for name in rpms if name.endswith(".src.rpm")),
        misc=tuple((name, volume) for volume, name in everywhere if not name.endswith((".log", ".rpm"))),
    )
