"""The build as the hub knows it: begun, completed or failed, exactly once over all runs of its task (contract 2.11, 7.3).

A run that finds no journal (the task was freed and is begun anew, perhaps by another host) goes by what the hub says.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any
from xmlrpc.client import Fault

import koji

from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.build_packages import BuiltPackages
from koji_adjutant.tasks.given_back import ends_build


class BuildRecord:
    """One build of one `build` task that is not a scratch build."""

    def __init__(self, task: ThreadedTask) -> None:
        self._task = task
        self.id = 0
        self.completed = False
        """An earlier run of the task has completed the build: only tagging may be left."""

    def begin(self, data: Mapping[str, Any]) -> None:
        """Make the build, or find the one that this task has made.

        Raises:
            koji.GenericError: another task builds the same, or has built it.
        """
        begun = self._task.once("initBuild", lambda: self._begin(dict(data)))
        self.id, self.completed = begun["id"], begun["completed"]

    def complete(self, packages: BuiltPackages) -> None:
        """Import the packages."""
        self._task.once(
            "completeBuild",
            lambda: self._complete(packages),
            recover=lambda _: (self._state() == "COMPLETE", None),
        )

    def fail(self) -> None:
        """Mark the build as failed; what went wrong is the caller's to say, so an error of this is only logged."""
        host = self._task.session.host
        try:
            self._task.once(
                "failBuild",
                lambda: host.failBuild(self._task.id, self.id),
                recover=lambda _: (self._state() != "BUILDING", None),
            )
        except (koji.GenericError, Fault) as error:
            self._task.context.log.warning("build.not_marked_failed", build_id=self.id, error=str(error))

    def fail_with(self, error: BaseException) -> None:
        """Mark the build as failed if `error` fails its task: at once, or when the task is given up for good."""
        if ends_build(error):
            self.fail()
        else:
            self._task.context.given_up = self.fail

    def _begin(self, data: dict[str, Any]) -> dict[str, Any]:
        # Each initBuild of a draft makes another build (its release holds the id), so this asks first.
        found = self._own(data) if data.get("draft") else None
        if found is not None:
            return found
        try:
            return {"id": int(self._task.session.host.initBuild(data)), "completed": False}
        except koji.GenericError as error:
            found = self._own(data) if "already exists" in str(error) else None
            if found is None:
                raise
            return found

    def _complete(self, packages: BuiltPackages) -> None:
        # What the hub answers with is its own rows; nobody needs them here.
        self._task.session.host.completeBuild(
            self._task.id, self.id, packages.srpm, packages.rpms, packages.buildroots, logs=packages.logs
        )

    def _own(self, data: Mapping[str, Any]) -> dict[str, Any] | None:
        """Find the build that an earlier run of this task has begun or completed."""
        states = {koji.BUILD_STATES["BUILDING"]: False, koji.BUILD_STATES["COMPLETE"]: True}
        for row in self._task.session.listBuilds(taskID=self._task.id):
            if row["name"] == data["name"] and row["state"] in states:
                return {"id": int(row["build_id"]), "completed": states[row["state"]]}
        return None

    def _state(self) -> str:
        return str(koji.BUILD_STATES[self._task.session.getBuild(self.id, strict=True)["state"]])


def move_to_scratch(task: ThreadedTask, packages: BuiltPackages) -> None:
    """Put a scratch build's files in place; done already by an earlier run is as good."""
    task.once("moveBuildToScratch", lambda: _move(task, packages))


def _move(task: ThreadedTask, packages: BuiltPackages) -> None:
    try:
        task.session.host.moveBuildToScratch(task.id, packages.srpm, packages.rpms, logs=packages.logs)
    except koji.GenericError as error:
        # The hub moves this file first, all in one call, and nobody else writes there.
        first = f"/task_{task.id}/{posixpath.basename(packages.srpm)}"
        if not (str(error).startswith("Destination exists: ") and str(error).endswith(first)):
            raise
        task.context.log.info("build.moved_before", error=str(error))
