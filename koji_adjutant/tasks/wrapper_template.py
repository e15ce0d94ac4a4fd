"""The spec of a wrapperRPM: its template is code, and is rendered in a container without a network (contract 4.5).

The template engine is Cheetah. What is installed beside this daemon is mounted into the container; its pure Python part works
with any Python. Without one the tools image's own is used.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import posixpath
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import koji
import koji.tasks

from koji_adjutant.buildroot.root import ROOT_LOG
from koji_adjutant.container.interface import VolumeMount
from koji_adjutant.deep_trees import walk
from koji_adjutant.scm.tree import resolve
from koji_adjutant.tasks.context import TaskContext
from koji_adjutant.tasks.task_logs import TaskLogs
from koji_adjutant.tasks.work_container import ENVIRONMENT, WORK, WorkContainer, WorkRequest, work_image
from koji_adjutant.tasks.wrapper_artifacts import Artifact

SUFFIX = ".spec.tmpl"
MODULES = "/run/adjutant/python"
SPEC_BYTES = 16 << 20
NO_ENGINE = 77
RENDER_SECONDS = 600.0
_TREE, _VALUES, _OUT = f"{WORK}/tree", f"{WORK}/values.json", f"{WORK}/rendered"
PROGRAM = f"""
import json, sys
try:
    from Cheetah.Template import Template
except ImportError as error:
    print(error)
    sys.exit({NO_ENGINE})
with open({_VALUES!r}) as stream:
    values = json.load(stream)
text = Template(file=sys.argv[1], searchList=[values]).respond()
with open({_OUT!r}, "wb") as stream:
    stream.write(text.encode("utf-8"))
"""


def find_template(top: Path, source: str) -> str | None:
    """Return the template's path relative to `top`: as under kojid the first by name of the last directory that has one.

    None: there is none, or `source` leads out of `top`.
    """
    start = resolve(top, source)
    if start is None:
        return None
    found = None
    for directory, _, names in walk(start):
        for name in names:
            if name.endswith(SUFFIX) and not (directory / name).is_symlink():
                found = str((directory / name).relative_to(top))
                break
    return found


def add_artifacts(directory: Path, files: Iterable[tuple[Artifact, Path]]) -> None:
    """Copy the wrapped files beside the template, flat; a name that is taken gets the file's path before it."""
    for artifact, local in files:
        name = artifact.name
        if os.path.lexists(directory / name):
            name = artifact.path.replace("/", "-")
        # Exclusive: nothing that a checkout brought, a link least of all, is written through.
        with local.open("rb") as source, (directory / name).open("xb") as target:
            shutil.copyfileobj(source, target, 1 << 20)


def render(
    context: TaskContext,
    logs: TaskLogs,
    tree: Path,
    template: str,
    values: Mapping[str, Any],
    *,
    tag_name: str,
    attempt: int,
) -> bytes:
    """Return the spec that a template of `tree` gives; its complaints are in root.log.

    Raises:
        koji.BuildError: the template fails.
        koji.tasks.RefuseTask: there is no template engine.
    """
    image = work_image(context, tag_name=tag_name).reference
    mounts = _engine()
    container = WorkContainer.open(context, logs.steps, WorkRequest(f"template-{attempt}", image, mounts=mounts))
    try:
        if not context.journal.done(f"template-put-{attempt}"):
            context.runtime.copy_to(container.handle, tree, _TREE)
            context.runtime.copy_to(container.handle, json.dumps(values).encode(), _VALUES)
            context.journal.remember(f"template-put-{attempt}", lambda: True)
        path = posixpath.join(_TREE, template)
        env = {**ENVIRONMENT, "PYTHONPATH": MODULES} if mounts else ENVIRONMENT
        status = container.run(
            "render",
            ["python3", "-c", PROGRAM, path],
            ROOT_LOG,
            env=env,
            workdir=posixpath.dirname(path),
            timeout=RENDER_SECONDS,
            shown=["python3", "-c", "render", path],
        )
        if status.exit_code == NO_ENGINE:
            raise koji.tasks.RefuseTask(
                "template functions not available: neither this builder nor the image "
                f"{image} has Cheetah (python3-cheetah, CT3)"
            )
        if not status.ok:
            raise koji.BuildError(f"error rendering {posixpath.basename(template)}; see root.log for more information")
        spec = io.BytesIO()
        container.copy_from(_OUT, spec, max_bytes=SPEC_BYTES)
        return spec.getvalue()
    finally:
        if not context.interruption.event.is_set():
            container.remove()


def _engine() -> tuple[VolumeMount, ...]:
    found = importlib.util.find_spec("Cheetah")
    if found is None or not found.submodule_search_locations:
        return ()
    return (VolumeMount(f"{MODULES}/Cheetah", str(Path(found.submodule_search_locations[0]).resolve())),)
