"""Brings a tree out of a container whose directories this machine does not see."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import ContainerError
from koji_adjutant.scm.tree_transfer import (
    CONTENT,
    LISTED,
    NAMES,
    TARGETS,
    Entry,
    content_size,
    listing_command,
    make_tree,
    parse_listing,
)
from koji_adjutant.tasks.work_container import WorkContainer

LIST_SECONDS = 900.0
LISTING_BYTES = 256 << 20
"""Of one file of a listing: a million names of 200 bytes."""


def list_tree(container: WorkContainer, tree: str, directory: str) -> list[Entry]:
    """Have `tree` listed into `directory`, beside its content, and return the entries. May be repeated.

    Raises:
        CopyError: the listing cannot be read. ContainerError: it could not be made.
    """
    result = container.ask(listing_command(f"{BIN_DIR}/busybox", tree, directory), timeout=LIST_SECONDS)
    if result.exit_code:
        raise ContainerError(
            f"{tree} of {container.handle.name} cannot be listed",
            details=result.stderr[-2000:].decode("utf-8", "replace"),
            reason="setup",
            retryable=True,
        )
    return parse_listing(*(_read(container, f"{directory}/{name}") for name in (LISTED, NAMES, TARGETS)))


def fetch_tree(container: WorkContainer, directory: str, entries: Sequence[Entry], target: Path) -> None:
    """Make the tree that was listed into `directory` at `target`. May be repeated.

    Raises:
        CopyError: it holds what no tree may hold, or is not what was listed.
    """
    with tempfile.TemporaryFile(dir=target.parent) as content:
        container.copy_from(f"{directory}/{CONTENT}", content, max_bytes=content_size(entries))
        content.seek(0)
        make_tree(entries, content, target)


def _read(container: WorkContainer, path: str) -> bytes:
    stream = io.BytesIO()
    container.copy_from(path, stream, max_bytes=LISTING_BYTES)
    return stream.getvalue()
