"""A clone's own directory for the eyes of plugins: its objects and refs, with settings that we write.

Plugins run git in the checkout on this machine (scmpolicy asks for branches, rpmautospec for the history). What a container
left in `.git` could name programs for git to run here: hooks, file system monitors, pagers, a second directory of settings.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

_KEPT = ("FETCH_HEAD", "HEAD", "ORIG_HEAD", "index", "logs", "objects", "packed-refs", "refs", "shallow")
_HEAD = re.compile(rb"(ref: refs/[^\n\0]+|[0-9a-f]{40}|[0-9a-f]{64})\n?")
_BRANCH = re.compile(rb"ref: refs/heads/([A-Za-z0-9._/+-]+)\n?")


def copy_clone(clone: Path, target: Path, *, origin: str) -> None:
    """Copy `clone`/.git to `target`/.git, if it is a directory; `origin` is the URL it was made from."""
    source = clone / ".git"
    if clone.is_symlink() or source.is_symlink() or not source.is_dir():
        return
    (target / ".git").mkdir()
    for name in _KEPT:
        if not (source / name).is_symlink():
            _copy(source / name, target / ".git" / name)
    (target / ".git" / "config").write_text(_config(source, origin))


def misleads_git(directory: Path, top: Path) -> bool:
    """Whether git, run in `directory`, `top` or below it, would obey the settings of a directory of the tree.

    It looks upwards for `.git`, but also takes each directory that has a repository's parts for one. HEAD alone must be
    there: a file `commondir` names where the others are.
    """
    for place in (directory, *directory.parents):
        if _is_repository(place / ".git"):
            break
        if os.path.lexists(place / "HEAD"):
            return True
        if place == top:
            break
    return False


def _is_repository(git_directory: Path) -> bool:
    """Whether git is content with what `copy_clone` made: it goes on looking if it is not."""
    parts = all((git_directory / name).is_dir() for name in ("objects", "refs"))
    return parts and _HEAD.fullmatch(_head(git_directory / "HEAD")) is not None


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=_leads_elsewhere)
    elif source.exists():
        shutil.copyfile(source, target)


def _leads_elsewhere(directory: str, names: list[str]) -> set[str]:
    """Links, and the files of objects/info that name further places to read objects from."""
    named = {"alternates", "http-alternates"}
    return {name for name in names if name in named or os.path.islink(os.path.join(directory, name))}


def _config(source: Path, origin: str) -> str:
    quoted = origin.replace("\\", "\\\\").replace('"', '\\"')
    # The one setting of a clone without which its objects cannot be read.
    sha256 = b"sha256" in _head(source / "config").split()
    lines = ["[core]", f"repositoryformatversion = {int(sha256)}", "bare = false", "filemode = true"]
    lines += ["logallrefupdates = true"]
    lines += ["[extensions]", "objectformat = sha256"] if sha256 else []
    lines += ['[remote "origin"]', f'url = "{quoted}"', "fetch = +refs/heads/*:refs/remotes/origin/*"]
    if branch := _BRANCH.fullmatch(_head(source / "HEAD")):
        name = branch[1].decode()
        lines += [f'[branch "{name}"]', "remote = origin", f"merge = refs/heads/{name}"]
    return "".join(f"{line}\n" if line.startswith("[") else f"\t{line}\n" for line in lines)


def _head(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        return b""
    with path.open("rb") as stream:
        return stream.read(1 << 16)
