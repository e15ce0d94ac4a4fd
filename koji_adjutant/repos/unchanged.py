"""May the repodata of an old repo stand for a new one? Looks at the files of both below topdir (`copy_old_repodata`)."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path

FLAGS = ("with_debuginfo", "with_src", "with_separate_src")
ARCH_FILES = ("blocklist", "pkglist")


def difference(old: Path, new: Path) -> str:
    """Return in words what keeps the repo `new` from sharing repodata with `old`; empty if nothing does.

    kojid compares the old repo's flags with a dict that never holds them, so repos with debuginfo or sources are never
    copied there (contract 4.3, "Trap"). Here both repos' flags are compared.
    """
    if not old.is_dir():
        return f"there is no {old}"
    try:
        flags = [json.loads((repo / "repo.json").read_bytes()) for repo in (old, new)]
    except (OSError, ValueError) as error:
        return f"repo.json cannot be read: {error}"
    for flag in FLAGS:
        if flags[0].get(flag, False) != flags[1].get(flag, False):
            return f"{flag} differs"
    if not _same(old / "groups" / "comps.xml", new / "groups" / "comps.xml", both_missing=True):
        return "groups/comps.xml differs"
    return ""


def same_arch(old: Path, new: Path) -> bool:
    """Say whether the directories of one arch hold the same packages and blocks."""
    return all(_same(old / name, new / name, both_missing=False) for name in ARCH_FILES)


def _same(first: Path, second: Path, *, both_missing: bool) -> bool:
    if not first.exists() or not second.exists():
        return both_missing and first.exists() == second.exists()
    return filecmp.cmp(first, second, shallow=False)
