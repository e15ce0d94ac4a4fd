"""External repos of a tag: how they are merged and by which URLs (contract 4.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

Rows = Sequence[Mapping[str, Any]]
"""Rows of `getExternalRepoList`."""


def merge_mode(externals: Rows) -> str:
    """Return the one mode in which all of them are merged.

    Raises:
        ValueError: they differ; kojid's words.
    """
    # A dict, since kojid's text shows its keys.
    modes = dict.fromkeys(row.get("merge_mode", "koji") for row in externals)
    if len(modes) > 1:
        raise ValueError(f"Found multiple merge modes for external repos: {modes.keys()}\n")
    return str(next(iter(modes)))


def external_urls(externals: Rows, arch: str) -> list[str]:
    """Return the URLs for the repo of `arch`, in the hub's order; rows for other arches only are left out."""
    return [
        str(row["url"]).replace("$arch", arch)
        for row in externals
        if not row.get("arches") or arch in row["arches"].split()
    ]


def remote_urls(urls: Sequence[str]) -> list[str]:
    """Return those that come over a network."""
    return [url for url in urls if local_path(url) is None]


def local_path(url: str) -> PurePosixPath | None:
    """Return the directory that `url` names on the machine it is read on, None if it is somewhere else."""
    parts = urlsplit(url)
    if parts.scheme not in {"", "file"}:
        return None
    return PurePosixPath(unquote(parts.path))


def outside(urls: Sequence[str], topdir: str) -> list[str]:
    """Return the local ones that a container with nothing but `topdir` cannot see."""
    found = []
    for url in urls:
        path = local_path(url)
        if path is not None and (".." in path.parts or not path.is_relative_to(topdir)):
            found.append(url)
    return found
