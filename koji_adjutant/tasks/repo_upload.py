"""Uploads of repository files: checksummed, into a task's directory or one below it (contract 4.3, 6.2)."""

from __future__ import annotations

from pathlib import Path

from koji_adjutant.hub.artifacts import ArtifactStore, TopdirStore, UploadStore
from koji_adjutant.hub.names import plain_name
from koji_adjutant.tasks.context import TaskContext


def repo_store(context: TaskContext, below: str = "") -> ArtifactStore:
    """Return the configured store; metadata may have any plain name, since programs and plugins choose them."""
    if context.config.artifacts == "topdir":
        return TopdirStore(context.options.topdir, context.task_id, below=below, names=plain_name)
    return UploadStore(context.session, context.task_id, below=below, names=plain_name)


def upload_directory(context: TaskContext, directory: Path, below: str = "") -> list[object]:
    """Upload all files of `directory` flat; return `[directory below work/, [names]]`, as `repoDone` takes it.

    Safe to repeat: files are replaced.
    """
    store = repo_store(context, below)
    names = sorted(path.name for path in directory.iterdir())
    for name in names:
        store.put(directory / name, name)
    return [f"{context.upload_dir}/{below}" if below else context.upload_dir, names]
