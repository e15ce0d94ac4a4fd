"""What a task is called besides its method: what koji's own pages put into brackets behind it."""

from __future__ import annotations

import koji
import koji.tasks

from koji_adjutant.config.secrets import mask_text

MAX_LABEL = 200


def task_label(handler: koji.tasks.BaseTaskHandler) -> str:
    """Return package, arch, target or tag of a task; empty where its request says nothing of the kind."""
    request = koji.encode_args(*(handler.params or ()), **(handler.opts or {}))
    text = str(koji.taskLabel({"method": handler.method, "request": request, "arch": ""}))
    inside = text.partition(" (")[2].removesuffix(")")
    # A source may be a URL with a password in it.
    return mask_text(inside.removesuffix(", unknown args").strip(", "))[:MAX_LABEL]
