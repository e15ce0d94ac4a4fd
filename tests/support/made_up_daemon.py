"""A daemon that never was, as the status page sees one: tasks with logs on disk, history, images, problems."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from koji_adjutant.buildroot.prepared import REPOSITORY, PreparedImage
from koji_adjutant.manager.history import TaskRecord
from koji_adjutant.manager.readiness import DiskSpace
from koji_adjutant.monitoring.problems import Problem
from koji_adjutant.monitoring.view import DaemonView, HostView, MachineView, RunningView, RuntimeView
from koji_adjutant.tasks.progress import PhaseTime

TOOLS = "registry.example.com/koji/tools:f43"
DIGEST = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
PREPARED = f"{REPOSITORY}:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
PACKAGES = ("zlib-ng-2.2.4-1", "bash-5.3.0-2", "python3.14-3.14.0-1", "openssl-3.5.1-3", "hello-2.12.2-4")
PHASES = (("start", 0.0), ("root", 2.0), ("requires", 5.5), ("build", 14.0))


class MadeUpDaemon:
    """A `monitoring.source.Source`; whatever a test sets is what is seen."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.tasks: dict[int, RunningView] = {}
        self.records: list[TaskRecord] = []
        self.found_images: list[PreparedImage] = []
        self.found_problems: list[Problem] = []
        self.changes: dict[str, Any] = {}
        """What differs from a daemon that does its work."""

    def run(self, task_id: int, *, age: float = 60.0, **known: Any) -> Path:
        """Let a task run; return the directory of its logs."""
        began = time.time() - age
        phases = tuple(PhaseTime(name, began + at) for name, at in PHASES if at < age)
        label = f"{PACKAGES[task_id % len(PACKAGES)]}.fc43.src.rpm, x86_64"
        facts = {
            "method": "buildArch",
            "since": began,
            "waiting": False,
            "adopted": False,
            "label": label,
            "phase": phases[-1].name,
            "phases": phases,
            "doing": f"rpmbuild {label.partition(',')[0]}",
            "container": f"adjutant-builder1.0c9e4f11-{task_id}-5d2c8f0a-1-task",
            "image": TOOLS,
            "digest": DIGEST,
            "prepared": PREPARED,
        }
        self.tasks[task_id] = RunningView(task_id=task_id, **facts | known)
        logs = self._logs(task_id)
        logs.mkdir(parents=True, exist_ok=True)
        return logs

    def end(self, task_id: int, result: str = "closed", reason: str = "") -> None:
        """Let a running task end: its logs are gone, the history has it."""
        task = self.tasks.pop(task_id)
        self.records.append(
            TaskRecord(
                task_id=task_id,
                method=task.method,
                label=task.label,
                result=result,
                began=task.since,
                ended=time.time(),
                reason=reason,
                phases=tuple((phase.name, phase.began) for phase in task.phases),
                image=task.image,
                prepared=task.prepared,
            )
        )
        for log in self._logs(task_id).iterdir():
            log.unlink()
        self._logs(task_id).rmdir()

    def remember(self, task_id: int, *, ago: float, took: float, **known: Any) -> None:
        """Put a task into the history."""
        began = time.time() - ago - took
        phases = (*((name, began + at * took / 20) for name, at in PHASES), ("results", began + took * 0.95))
        facts = {
            "method": "buildArch",
            "label": f"{PACKAGES[task_id % len(PACKAGES)]}.fc43.src.rpm, x86_64",
            "result": "closed",
            "phases": phases,
            "image": TOOLS,
            "prepared": PREPARED,
        }
        self.records.append(TaskRecord(task_id=task_id, began=began, ended=began + took, **facts | known))

    def view(self) -> DaemonView:
        known = DaemonView(
            host="builder1.example.com",
            hub="https://koji.example.com/kojihub",
            version="0.1.0",
            ready=True,
            reason="",
            load=1.5 * len(self.tasks),
            check_in_age=3.2,
            draining=False,
            adopted=True,
            tasks=tuple(self.tasks[task_id] for task_id in sorted(self.tasks)),
            disks=(DiskSpace("/var/lib/koji-adjutant", 182_000), DiskSpace("/var/lib/containers/storage", 182_000)),
            now=time.time(),
            started=time.time() - 260_000,
            web="https://koji.example.com/koji",
            minspace_mb=8192,
            maxjobs=10,
            machine=MachineView(2.31, 16, 48_200),
            hub_host=HostView(enabled=True, capacity=12.0, arches="x86_64 i686", at=time.time() - 4),
            runtime=RuntimeView("podman", "5.4.2", rootless=False, capabilities=("commit", "companion", "userns")),
        )
        return replace(known, **self.changes)

    def history(self, count: int, before: float | None = None) -> list[TaskRecord]:
        found = sorted(self.records, key=lambda record: record.ended, reverse=True)
        return [record for record in found if before is None or record.ended < before][:count]

    def ended(self, task_id: int) -> TaskRecord | None:
        return next((record for record in self.history(500) if record.task_id == task_id), None)

    def images(self) -> Sequence[PreparedImage]:
        return self.found_images

    def problems(self) -> list[Problem]:
        return self.found_problems

    def configuration(self) -> dict[str, Any]:
        return {
            "kojid": {"server": "https://koji.example.com/kojihub", "password": "***", "maxjobs": 10},
            "adjutant": {"runtime": "podman", "images": {"default": TOOLS}, "min_memory": None},
        }

    def log_directory(self, task_id: int) -> Path | None:
        return self._logs(task_id) if task_id in self.tasks else None

    def _logs(self, task_id: int) -> Path:
        return self.directory / str(task_id) / "logs"
