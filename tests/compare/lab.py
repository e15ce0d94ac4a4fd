"""The hub of a lab.json, as its administrator: repo, uploads, tasks sent to one host, and what they left."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import koji
import requests

ENDED = frozenset({koji.TASK_STATES["CLOSED"], koji.TASK_STATES["CANCELED"], koji.TASK_STATES["FAILED"]})
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class TaskOutcome:
    """What anybody can see of an ended task."""

    task_id: int
    state: str
    seconds: float
    """From its opening to its end."""
    fault: tuple[int, str] | None
    result: Mapping[str, Any]
    logs: Mapping[str, Path]
    """Every file of the task whose name ends in .log or .json, or reproduce.sh: local copies."""
    rpms: Mapping[str, Path]
    buildroots: Sequence[frozenset[tuple[str, str]]]
    """Contents of each buildroot: (nvra, payload hash)."""
    at_start: Sequence[frozenset[tuple[str, str]]] = field(default=())
    """The part of them that is not marked as an update."""


class LabHub:
    """One administrator's session.

    Raises (every method): koji.GenericError, requests.RequestException: the hub says no, or is not there.
    """

    def __init__(self, lab: Path, tag: str, *, user: str = "admin", password: str = "admin-pw") -> None:
        data = json.loads(lab.read_text())
        self.topurl: str = data["topurl"]
        self.tag = tag
        # More patience than koji's own: a hub under a benchmark may be slow.
        options = {"user": user, "password": password, "timeout": 600}
        self.session = koji.ClientSession(data["hub"], options)
        self.session.login()

    def repo(self, timeout: float = 900.0) -> int:
        """Return the newest READY repo of the tag; asks for one and waits for it (kojira makes it) if there is none.

        Raises:
            TimeoutError: no repo in time.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            repo = self.session.repo.get(self.tag)
            if repo:
                return int(repo["id"])
            self.session.repo.request(self.tag)
            time.sleep(POLL_SECONDS)
        message = f"no repo of {self.tag} in {timeout:.0f} s"
        raise TimeoutError(message)

    def upload(self, srpm: Path) -> str:
        """Upload a source package; return its path below work/."""
        directory = f"compare/{int(time.time())}.{srpm.stat().st_ino}"
        self.session.fastUpload(str(srpm), directory)
        return f"{directory}/{srpm.name}"

    def build_arch(self, source: str, arch: str, repo_id: int, host: str) -> int:
        """Make a buildArch task that `host` shall run; return its id."""
        arguments = [source, self.tag, arch, True, {"repo_id": repo_id}]
        channel_arch = "noarch" if arch == "noarch" else koji.canonArch(arch)
        return int(self.session.makeTask("buildArch", arguments, assign=host, arch=channel_arch))

    def build(self, source: str, target: str, options: Mapping[str, Any]) -> int:
        """Ask for a whole build, as `koji build` does; return the id of its task."""
        return int(self.session.build(source, target, dict(options)))

    def make_room(self, nvr: str, target: str) -> None:
        """Let the target's tag own the package, and reset a finished build of it, so that it can be built again."""
        destination = self.session.getBuildTarget(target, strict=True)["dest_tag"]
        self.session.packageListAdd(destination, koji.parse_NVR(nvr)["name"], "admin", force=True)
        if (build := self.session.getBuild(nvr)) is not None:
            for tag in self.session.listTags(build["id"]):
                self.session.untagBuildBypass(tag["id"], build["id"], force=True)
            self.session.resetBuild(build["id"])

    def ended(self, tasks: Iterable[int], timeout: float) -> None:
        """Wait for the end of tasks.

        Raises:
            TimeoutError: they did not end in time; they are cancelled then.
        """
        waiting = set(tasks)
        deadline = time.monotonic() + timeout
        while waiting:
            waiting = {task for task in waiting if self.session.getTaskInfo(task)["state"] not in ENDED}
            if waiting and time.monotonic() > deadline:
                for task in waiting:
                    self.session.cancelTask(task)
                message = f"tasks {sorted(waiting)} did not end in {timeout:.0f} s"
                raise TimeoutError(message)
            if waiting:
                time.sleep(POLL_SECONDS)

    def outcome(self, task_id: int, directory: Path) -> TaskOutcome:
        """Collect what an ended task left, files into `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        info = self.session.getTaskInfo(task_id)
        fault, result = self.result(task_id)
        files = self._files(task_id, directory)
        buildroots = self.session.listBuildroots(taskID=task_id)
        listings = [self._contents(entry["id"]) for entry in buildroots]
        return TaskOutcome(
            task_id=task_id,
            state=koji.TASK_STATES[info["state"]],
            seconds=(info["completion_ts"] or 0.0) - (info["start_ts"] or 0.0),
            fault=fault,
            result=result,
            logs={name: path for name, path in files.items() if not name.endswith(".rpm")},
            rpms={name: path for name, path in files.items() if name.endswith(".rpm")},
            buildroots=[everything for everything, _ in listings],
            at_start=[start for _, start in listings],
        )

    def result(self, task_id: int) -> tuple[tuple[int, str] | None, Any]:
        """Return the fault of a failed task, or the result of a closed one."""
        try:
            return None, self.session.getTaskResult(task_id)
        except Fault as error:
            return (int(error.faultCode), str(error.faultString)), {}
        except koji.GenericError as error:
            return (int(error.faultCode), str(error)), {}

    def _files(self, task_id: int, directory: Path) -> dict[str, Path]:
        found = {}
        for name in sorted(self.session.listTaskOutput(task_id)):
            url = f"{self.topurl}/work/{koji.pathinfo.taskrelpath(task_id)}/{name}"
            answer = requests.get(url, timeout=600)
            answer.raise_for_status()
            found[name] = directory / name
            found[name].write_bytes(answer.content)
        return found

    def _contents(self, buildroot: int) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
        rpms = self.session.listRPMs(componentBuildrootID=buildroot)
        pairs = [(f"{rpm['nvr']}.{rpm['arch']}", str(rpm["payloadhash"]), bool(rpm["is_update"])) for rpm in rpms]
        return (
            frozenset((nvra, digest) for nvra, digest, _ in pairs),
            frozenset((nvra, digest) for nvra, digest, update in pairs if not update),
        )
