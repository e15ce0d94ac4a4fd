"""What of kojid's own module plugins get from `__main__`, and what they do not (contract 1.10, 3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import koji
import koji.tasks
from koji.daemon import SCM

ABSENT: Mapping[str, str] = {
    "BuildRoot": "it drives mock and gives out the root as a directory of the host; a root is a container here",
    "BuildImageTask": "no images are made here",
}
"""Names of kojid's that are not here, and why."""


class BaseBuildTask(koji.tasks.BaseTaskHandler):
    """kojid's base of build tasks, as far as it needs no root."""

    def checkHostArch(self, tag: Any, hostdata: Mapping[str, Any], event: int | None = None) -> bool:  # noqa: N802 - kojid's
        """Whether an arch of the tag is one of the host's (contract 4.0.7)."""
        config = self.session.getBuildConfig(tag, event=event)
        if not config or not config["arches"]:
            return True
        wanted = {koji.canonArch(arch) for arch in config["arches"].split()}
        return bool(wanted & set((hostdata["arches"] or "").split()))


def kojid_names() -> dict[str, Any]:
    """Return what stands in `__main__` for plugins."""
    return {"SCM": SCM, "BaseBuildTask": BaseBuildTask}
