"""The embedded hub of a one-person build: one tag, its external repositories, its repo, one host.

Made anew when a repository has changed. Otherwise the hub of the last build goes on, at the same port with the same repo:
then its prepared image fits again (the key has topurl, repo id and the checksum of repomd.xml).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from koji_adjutant import __version__
from koji_adjutant.cli.build_request import BuildRequest
from koji_adjutant.cli.desk_directory import DeskDirectory
from koji_adjutant.cli.desk_groups import Member, choose, group_of_file, parse_comps, render
from koji_adjutant.cli.desk_repos import UpstreamRepo, groups_of, look_at
from koji_adjutant.errors import HubError
from koji_adjutant.minihub import Credentials, HubOptions, MiniHub
from koji_adjutant.minihub.tasks import ASSIGNED, FREE, OPEN

TAG = "desk-build"
CAPACITY = 20.0


@dataclass(frozen=True)
class DeskHub:
    """A hub that listens."""

    hub: MiniHub
    host: Credentials
    repo_id: int
    reused: bool
    """The repo of an earlier build goes on."""

    def make_task(self, request: BuildRequest) -> int:
        """Upload the source package and make the task, assigned to our host."""
        path = self.hub.add_upload(request.srpm.name, request.srpm.read_bytes())
        opts = {"repo_id": self.repo_id}
        return self.hub.make_task(
            "buildArch", [path, TAG, request.arch, True, opts], arch=request.br_arch, assign=self.host.user
        )

    def state(self, task: int) -> int:
        """State of a task, as koji numbers them."""
        return int(self.hub.call("getTaskInfo", task)["state"])

    def refusal(self, task: int) -> str:
        """What our host said when it gave the task back; empty when it said nothing."""
        rows = self.hub.call("scheduler.getTaskRefusals", [["task_id", task]])
        return str(rows[-1]["msg"]) if rows else ""

    def output_directory(self, task: int) -> Path:
        """Where results and logs of a task lie."""
        return self.hub.topdir / "work" / "tasks" / str(task % 10000) / str(task)


def desk_name(request: BuildRequest) -> str:
    """Return the name of the directory for what a build draws on: repositories, groups, arch, and our own version."""
    files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in request.group_files]
    parts = [__version__, request.arch, list(request.repos), list(request.groups), files]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def open_hub(desk: DeskDirectory, request: BuildRequest) -> DeskHub:
    """Start the hub in `desk`, as it was or made anew.

    Raises:
        HubError: a repository does not answer, or the hub cannot be made.
        UsageError: the groups are not to be had.
        OSError: the disk.
    """
    upstream = [look_at(location) for location in request.repos]
    sums = {repo.location: repo.repomd_sha256 for repo in upstream}
    record = _read_record(desk.record)
    hub = _started(desk.hub, int(record.get("port") or 0))
    try:
        known = {"port": hub.port, "repomd": sums}
        reused = {name: record.get(name) for name in known} == known and _ready(hub, record.get("repo"))
        if not reused:
            members = _members(request, upstream)
            desk.record.unlink(missing_ok=True)
            hub = _emptied(hub, desk.hub)
            record = known | {"repo": _make_repo(hub, request, upstream, members, desk.path / "comps.xml")}
            desk.record.write_text(json.dumps(record))
        _forget_work(hub)
        host = hub.add_host(desk.host_name, request.br_arch, capacity=CAPACITY)
        _set_macros(hub, request.macros)
    except BaseException:
        hub.stop()
        raise
    return DeskHub(hub, host, int(record["repo"]), reused)


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _started(directory: Path, port: int) -> MiniHub:
    try:
        hub = _hub(directory, port)
    except HubError:
        # Of another version, or damaged; there is nothing in it that cannot be made again.
        shutil.rmtree(directory, ignore_errors=True)
        hub = _hub(directory, port)
    try:
        hub.start()
    except HubError:
        hub.port = 0  # somebody else has the port of last time
        hub.start()
    return hub


def _hub(directory: Path, port: int) -> MiniHub:
    directory.mkdir(parents=True, exist_ok=True)
    return MiniHub(directory, port=port, options=HubOptions(session_renewal_timeout=0))


def _emptied(hub: MiniHub, directory: Path) -> MiniHub:
    """Start over on the same port."""
    port = hub.port
    hub.stop()
    shutil.rmtree(directory)
    return _started(directory, port)


def _ready(hub: MiniHub, repo: Any) -> bool:
    info = hub.call("repoInfo", repo) if isinstance(repo, int) else None
    if not info:
        return False
    return any((hub.topdir / "repos" / TAG / str(repo)).glob("*/repodata/repomd.xml"))


def _members(request: BuildRequest, upstream: Sequence[UpstreamRepo]) -> tuple[Member, ...]:
    files = [group_of_file(parse_comps(path.read_bytes(), str(path)), str(path)) for path in request.group_files]
    needed = bool(request.groups) or not files
    return choose(request.groups, files, [groups_of(repo) for repo in upstream] if needed else [])


def _make_repo(
    hub: MiniHub, request: BuildRequest, upstream: Sequence[UpstreamRepo], members: Sequence[Member], comps: Path
) -> int:
    hub.add_tag(TAG, request.arch)
    for number, repo in enumerate(upstream, 1):
        # The package cache goes by URL: a repository of this machine that has changed must have another one.
        name = f"repo{number}-{repo.repomd_sha256[:12]}"
        hub.add_external_repo(name, repo.location, tag=TAG)
    comps.write_bytes(render(members))
    return hub.add_repo(TAG, comps=comps)


def _set_macros(hub: MiniHub, macros: Mapping[str, str]) -> None:
    old = list(hub.call("getTag", TAG)["extra"])
    extra = {f"rpm.macro.{name}": value for name, value in macros.items()}
    hub.call("editTag2", TAG, remove_extra=old, extra=extra)


def _forget_work(hub: MiniHub) -> None:
    """Drop files and tasks of earlier builds; a build that was killed left its task open."""
    shutil.rmtree(hub.topdir / "work", ignore_errors=True)
    (hub.topdir / "work").mkdir(exist_ok=True)
    for row in hub.call("listTasks", {"state": [FREE, OPEN, ASSIGNED]}):
        hub.call("cancelTask", row["id"])
