"""File names that may go to the hub: everything else a build left is its own business (design section 7)."""

from __future__ import annotations

import re

MAX_NAME = 255
"""Bytes; what file systems take."""

_PLAIN = re.compile(r"[^\x00-\x20/\x7f.\\][^\x00-\x1f/\x7f\\]*")
_KINDS = (".rpm", ".log", ".json", ".sh", ".spec", ".xml", ".gz", ".xz", ".zst")
_LOG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+~^-]*\.log")


def plain_name(name: str) -> bool:
    """Whether `name` is one component of a path that needs no care: no slash, no leading dot or blank, no control character.

    The hub refuses slashes and leading dots itself (contract 6.2, "Invalid upload filename").
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:  # surrogates: a file name that is not UTF-8
        return False
    return size <= MAX_NAME and _PLAIN.fullmatch(name) is not None


def valid_artifact_name(name: str) -> bool:
    """Whether a task may put a file of that name into its directory at the hub."""
    return plain_name(name) and name.endswith(_KINDS)


def valid_log_name(name: str) -> bool:
    """Whether a log may be called so: what kojid watches and writes (contract 4.0.4)."""
    return len(name) <= MAX_NAME and _LOG.fullmatch(name) is not None
