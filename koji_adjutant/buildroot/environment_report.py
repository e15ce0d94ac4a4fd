"""adjutant-env.json: in what a task ran, for people and for comparisons. No secret gets in (design section 7)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from koji_adjutant.buildroot.settings import RootSettings
from koji_adjutant.container.interface import ResourceLimits
from koji_adjutant.container.steps import StepStatus

LOG_NAME = "adjutant-env.json"
FORMAT = 1


@dataclass(frozen=True)
class ImageUsed:
    """An image by name and digest."""

    reference: str
    digest: str


@dataclass(frozen=True)
class RootReport:
    """What is told about a root."""

    task_id: int
    buildroot_id: int
    host: str
    version: str
    """Of this project."""
    runtime: str
    """The container runtime's name and version."""
    settings: RootSettings
    repo_id: int
    repomd_sha256: str
    tools: ImageUsed
    prepared: ImageUsed | None
    """The prepared image the root started from; None: it was filled for this task."""
    limits: ResourceLimits
    notes: tuple[str, ...] = ()
    """What a reader should know (a stricter setting, a named gap of the runtime)."""


def environment_report(report: RootReport, steps: Iterable[tuple[str, StepStatus]]) -> dict[str, Any]:
    """Return the document; `steps` in the order they ran."""
    settings = report.settings
    return {
        "format": FORMAT,
        "task": report.task_id,
        "buildroot": report.buildroot_id,
        "host": report.host,
        "koji-adjutant": report.version,
        "runtime": report.runtime,
        "images": {"tools": _image(report.tools), "prepared": report.prepared and _image(report.prepared)},
        "repo": {
            "id": report.repo_id,
            "tag": settings.tag_name,
            "arch": settings.br_arch,
            "urls": [without_password(url) for url in settings.repo_urls],
            "repomd_sha256": report.repomd_sha256,
            "group": settings.install_group,
        },
        "target_arch": settings.target_arch,
        "personality": settings.personality,
        "forcearch": settings.forcearch,
        "network": settings.network,
        "macros": dict(settings.macros),
        "environment": dict(settings.env),
        "limits": {
            "cpus": report.limits.cpus,
            "memory_bytes": report.limits.memory_bytes,
            "pids": report.limits.pids,
            "nofile": report.limits.nofile,
            "rpmbuild_timeout": settings.rpmbuild_timeout,
        },
        "ignored_settings": [{"name": name, "reason": reason} for name, reason in settings.ignored],
        "notes": list(report.notes),
        "steps": [_step(name, status) for name, status in steps],
    }


def to_json(document: Mapping[str, Any]) -> bytes:
    """Return the document as it is uploaded."""
    return json.dumps(document, indent=2).encode() + b"\n"


def without_password(url: str) -> str:
    """Return a URL without user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _image(image: ImageUsed) -> dict[str, str]:
    return {"reference": image.reference, "digest": image.digest}


def _step(name: str, status: StepStatus) -> dict[str, Any]:
    return {
        "name": name,
        "end": status.end.value,
        "exit_code": status.exit_code,
        "signal": status.signal,
        "started_at": status.started_at,
        "seconds": round(status.ended_at - status.started_at, 3),
        "peak_memory_bytes": status.peak_memory,
        "oom_kills": status.oom_kills,
        "output_bytes": status.out_bytes + status.err_bytes,
        "dropped_bytes": status.dropped_bytes,
    }
