"""What the children of a build have made, as one: a pure merge of their results (contract 4.1, build)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import koji


@dataclass(frozen=True)
class BuiltPackages:
    """The arguments of `completeBuild` and `moveBuildToScratch`; paths below work/."""

    srpm: str
    rpms: list[str]
    buildroots: dict[str, int]
    """Path -> buildroot, of packages and source package."""
    logs: dict[str, list[str]]
    """Arch as the build names it -> logs."""


def merge(task_id: int, results: Mapping[str, Mapping[str, Any]]) -> BuiltPackages:
    """Merge the results of `buildArch` by arch, in order.

    Raises:
        koji.BuildError: not exactly one of them kept its source package.
    """
    rpms: list[str] = []
    buildroots: dict[str, int] = {}
    logs: dict[str, list[str]] = {}
    srpms: list[str] = []
    for arch, result in results.items():
        rpms += result["rpms"]
        buildroots.update(dict.fromkeys(result["rpms"], result["brootid"]))
        if result["logs"]:
            logs[arch] = list(result["logs"])
        if result["srpms"]:
            srpms.append(result["srpms"][0])
            buildroots[result["srpms"][0]] = result["brootid"]
    if len(srpms) > 1:
        raise koji.BuildError(f"multiple builds returned a srpm.  task {task_id}")
    if not srpms:
        raise koji.BuildError("could not find a built srpm")
    return BuiltPackages(srpms[0], rpms, buildroots, logs)
