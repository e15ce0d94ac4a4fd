"""What a Maven build is given and what is read of it: command, settings, local repository (contract 4.4). Pure."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import koji

MVN = "/usr/bin/mvn"
TOP = "/builddir/maven"
"""Holds `build` and `output`. kojid has them in /maven, which is a link to this: here the daemon sees what is written."""
BUILD, OUTPUT, PATCHES = f"{TOP}/build", f"{TOP}/output", f"{TOP}/patches"
M2 = "/builddir/.m2"
LOCAL_REPO = f"{M2}/repository"
SOURCES_ZIP, PATCHES_ZIP = "scm-sources.zip", "patches.zip"
DEFAULT_MEMORY = "-Xmx2048m"


@dataclass(frozen=True)
class FoundFile:
    """A file of a tree: its directory relative to the tree's top ("" for the top itself), name and size."""

    directory: str
    name: str
    size: int


def mvn_command(opts: Mapping[str, Any]) -> list[str]:
    """Return argv in kojid's order."""
    words = [MVN, "-C", *(opts.get("maven_options") or ())]
    if opts.get("profiles"):
        words.append(f"-P{','.join(opts['profiles'])}")
    for name, value in (opts.get("properties") or {}).items():
        words.append(f"-D{name}" if value is None else f"-D{name}={value}")
    return [*words, *(opts.get("goals") or ()), "deploy"]


def pom_file(maven_options: Sequence[str]) -> str:
    """Return the pom that the options name. Raises koji.BuildError in kojid's words."""
    for number, option in enumerate(maven_options):
        if option in {"-f", "--file"}:
            if number + 1 == len(maven_options):
                raise koji.BuildError(f"{option} option requires a file path")
            return maven_options[number + 1]
        if option.startswith(("-f=", "--file=")):
            return option.partition("=")[2]
        if option.startswith("-f"):
            return option[2:]
    return "pom.xml"


def mavenrc(jvm_options: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return /etc/mavenrc; a build that asks for no limit of its own gets 2 GB of heap."""
    options = list(jvm_options)
    if not any(option.startswith("-Xmx") for option in options):
        options.append(DEFAULT_MEMORY)
    lines = [f'export MAVEN_OPTS="{" ".join(options)}"']
    lines += [f'export {name}="{value}"' for name, value in environment.items()]
    return "".join(f"{line}\n" for line in lines)


def settings_xml(topurl: str, repo_id: int, tag_name: str, task_id: int, deps: Sequence[int | str]) -> str:
    """Return Maven's settings: the repo as mirror of everything, `deps` (tasks, builds) beside it, output as deployment."""
    paths = koji.PathInfo(topdir=topurl)
    entries = [_dependency(paths, dep) for dep in deps]
    mirrored = ",".join(["*", *(f"!{identity}" for identity, _ in entries)])
    lists = ""
    if entries:
        lists = _repositories("repositories", "repository", entries)
        lists += _repositories("pluginRepositories", "pluginRepository", entries)
    name = f"{tag_name}-{repo_id}"
    return f"""\
<settings xmlns="http://maven.apache.org/POM/4.0.0"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://maven.apache.org/POM/4.0.0 http://maven.apache.org/xsd/settings-1.0.0.xsd">
  <interactiveMode>false</interactiveMode>
  <mirrors>
    <mirror>
      <id>koji-maven-repo-{escape(name)}</id>
      <name>Koji-managed Maven repository ({escape(name)})</name>
      <url>{escape(paths.repo(repo_id, tag_name))}/maven</url>
      <mirrorOf>{escape(mirrored)}</mirrorOf>
    </mirror>
  </mirrors>
  <profiles>
    <profile>
      <id>koji-task-{task_id}</id>
      <properties>
        <altDeploymentRepository>koji-output::default::file:///maven/output</altDeploymentRepository>
      </properties>{lists}
    </profile>
  </profiles>
  <activeProfiles>
    <activeProfile>koji-task-{task_id}</activeProfile>
  </activeProfiles>
</settings>
"""


def local_packages(files: Iterable[FoundFile], ignored: Sequence[str]) -> list[dict[str, Any]]:
    """Return what stands in a local Maven repository, as `updateMavenBuildRootList` takes it.

    Raises:
        koji.BuildrootError: a file lies where no package can.
    """
    by_directory: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        path = posixpath.join(file.directory, file.name)
        if any(fnmatch.fnmatch(file.name, each) or fnmatch.fnmatch(path, each) for each in ignored):
            continue
        if not file.directory and file.name in {SOURCES_ZIP, PATCHES_ZIP}:
            continue
        row = {"path": file.directory, "filename": file.name, "size": file.size}
        by_directory.setdefault(file.directory, []).append(row)
    return [_package(directory, rows) for directory, rows in by_directory.items()]


def _package(directory: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    parts = directory.split("/")
    if len(parts) < 3:
        names = ", ".join(row["filename"] for row in rows)
        raise koji.BuildrootError(
            f"files found in unexpected path in local Maven repo, directory: {directory}, files: {names}"
        )
    info = {"version": parts[-1], "artifact_id": parts[-2], "group_id": ".".join(parts[:-2])}
    return {"maven_info": info, "files": rows}


def _dependency(paths: koji.PathInfo, dep: int | str) -> tuple[str, str]:
    """Return id and inner lines of a repository; a number is a task, a text the NVR of a build."""
    kind, url, snapshots = "task", "", "true"
    if isinstance(dep, int):
        url = paths.task(dep)
    else:
        kind, snapshots = "build", "false"
        url = paths.mavenbuild(koji.parse_NVR(dep))
    identity = f"koji-{kind}-{dep}-repo"
    policy = "<updatePolicy>never</updatePolicy><checksumPolicy>fail</checksumPolicy>"
    return identity, (
        f"<id>{escape(identity)}</id><name>Repository for Koji {kind} {escape(str(dep))}</name><url>{escape(url)}</url>"
        f"<layout>default</layout><releases><enabled>true</enabled>{policy}</releases>"
        f"<snapshots><enabled>{snapshots}</enabled>{policy}</snapshots>"
    )


def _repositories(outer: str, inner: str, entries: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"\n        <{inner}>{text}</{inner}>" for _, text in entries)
    return f"\n      <{outer}>{lines}\n      </{outer}>"
