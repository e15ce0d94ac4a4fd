"""Whether the files a build names in its result are there.

The real hub finds out when the build task hands the files over (import, contract 7.3), after the builder has forgotten
them. Here a buildArch or rebuildSRPM task is held to it at once: a log that was named but never uploaded is an error.
"""

from __future__ import annotations

import os
from typing import Any

import koji
import koji.xmlrpcplus

from koji_adjutant.minihub.context import State

_CHECKED = ("buildArch", "rebuildSRPM", "buildSRPMFromSCM")


def named_files(result: Any) -> list[str]:
    """Every path a result document names."""
    if not isinstance(result, dict):
        return []
    lists = [result.get(key) or [] for key in ("rpms", "srpms", "logs")]
    single = [result["srpm"]] if result.get("srpm") else []
    return [str(path) for group in [*lists, single] for path in group]


def check(state: State, method: str, response: str) -> None:
    """GenericError "No such file: P" for a file that is not below work/."""
    if method not in _CHECKED:
        return
    work = state.paths.work()
    for path in named_files(koji.xmlrpcplus.loads(response)[0][0]):
        if not os.path.isfile(os.path.join(work, path)):
            raise koji.GenericError(f"No such file: {work}/{path}")
