"""Builds as a builder makes them at a hub, without building anything: packages of the test's own are handed over."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import koji

from tests.support.made_packages import MadePackage, make_package

LOG = b"the log of a build\n"


@dataclass(frozen=True)
class MadeBuild:
    """A build on record and the task that made it."""

    id: int
    task: int
    package: MadePackage
    paths: dict[str, str]
    """File name -> path below work/."""


class BuildDesk:
    """Makes tags, packages and builds at a hub under test; `builder` is a host with the lock."""

    def __init__(self, hub: Any, builder: Any, directory: Path) -> None:
        self.hub, self.builder, self.directory = hub, builder, directory
        self.admin, self.host = hub.admin, builder.session.host
        self.build_tag = self.tag()
        self.dest = self.tag()
        self.target = f"target-{secrets.token_hex(4)}"
        self.admin.createBuildTarget(self.target, self.build_tag, self.dest)

    def tag(self, **options: Any) -> str:
        """Name of a new tag."""
        name = f"tag-{secrets.token_hex(4)}"
        self.admin.createTag(name, **({"arches": "x86_64"} | options))
        return name

    def package(self, **options: Any) -> MadePackage:
        """A package that the destination tag lists."""
        made = make_package(self.directory, **options)
        self.admin.packageListAdd(self.dest, made.name, owner=self.hub.admin_credentials.user)
        return made

    def task(self, **options: Any) -> int:
        """An open task `build`."""
        return int(self.builder.open_task("build", ["cli-build/x.src.rpm", self.target, options]))

    def begin(self, package: MadePackage, task: int, **data: Any) -> int:
        """Begin the build of a task."""
        return int(self.host.initBuild(package.build | {"task_id": task} | data))

    def child(self, parent: int, arch: str = "x86_64") -> int:
        """An open child, for files."""
        task = int(self.host.subtask("buildArch", ["x", self.build_tag, arch, True, {}], parent, label=arch, arch=arch))
        assert self.host.openTask(task)
        return task

    def upload(self, task: int, path: Path, name: str = "", data: bytes | None = None) -> str:
        """Put a file into the directory of a task; its path below work/."""
        shown = name or path.name
        self.builder.upload(task, shown, path.read_bytes() if data is None else data)
        return f"{koji.pathinfo.taskrelpath(task)}/{shown}"

    def build(self, package: MadePackage | None = None, **data: Any) -> MadeBuild:
        """A complete build."""
        made = package or self.package()
        task = self.task()
        build_id = self.begin(made, task, **data)
        child = self.child(task)
        srpm, rpm = self.upload(child, made.srpm), self.upload(child, made.rpm)
        log = self.upload(child, Path("build.log"), data=LOG)
        self.host.completeBuild(task, build_id, srpm, [rpm], {}, logs={"x86_64": [log]})
        return MadeBuild(build_id, task, made, {"srpm": srpm, "rpm": rpm, "log": log})

    def tagged(self, tag: str, build: MadeBuild) -> None:
        """Tag a build, through its task."""
        self.host.tagBuild(build.task, tag, build.id)

    def names(self, tag: str, **options: Any) -> list[str]:
        """N-V-Rs of the builds in a tag."""
        return [row["nvr"] for row in self.admin.listTagged(tag, **options)]

    def answer_requests(self) -> None:
        """An empty repo of the build tag, so that nobody goes on making tasks for what a test asked."""
        repo = self.host.repoInit(self.build_tag)[0]
        self.host.repoDone(repo, {})
