"""Archives of a Maven build's sources, for audits: made of checkouts on this machine, reading only (contract 4.4)."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from koji_adjutant.buildroot.root import Root
from koji_adjutant.deep_trees import walk

SKIPPED = {"CVS", ".svn", ".git"}


def put_archive(root: Root, directory: Path, archive: Path, target: str) -> None:
    """Put a zip of `directory` at `target` in the root, by way of `archive` on this machine."""
    try:
        zip_tree(directory, archive)
        root.put(archive, target)
    finally:
        archive.unlink(missing_ok=True)


def zip_tree(directory: Path, archive: Path) -> None:
    """Write a zip of a checkout, its name as the top; links are links in it, as kojid writes them."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as packed:
        for place, directories, names in walk(directory):
            directories[:] = sorted(set(directories) - SKIPPED)
            for name in names:
                path = place / name
                inside = str(path.relative_to(directory.parent))
                if path.is_symlink():
                    entry = zipfile.ZipInfo(inside)
                    entry.external_attr |= 0o120000 << 16
                    packed.writestr(entry, os.readlink(path))
                elif path.is_file():
                    packed.write(path, inside)
