"""Repodata of a tag's repo: own packages and external repos, merged as kojid's createrepo task merges them.

createrepo_c and mergerepo_c do the work (contract 4.3). The merged metadata points at the external packages where they
are (`xml:base`); `pkgorigins` says which repo each came from, which builders need for the buildroot list.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from koji_adjutant.errors import HubError

_REPOMD_TIMEOUT = 60.0  # seconds for the first answer of an external repo
_TOOL_TIMEOUT = 1800.0  # seconds; a large distribution takes minutes to fetch


def local_repodata(directory: Path, groups: Path | None) -> None:
    """Repodata of the packages in the `pkglist` of a directory (there may be none). HubError if it cannot be made."""
    command = ["createrepo_c", "--quiet", "--no-database", "--pkglist", str(directory / "pkglist")]
    command += ["--groupfile", str(groups)] if groups else []
    _run([*command, str(directory)], directory)


def merge(urls: Sequence[str], output: Path, arch: str, groups: Path | None, local: Path) -> None:
    """Write `output`/repodata from the repo in `local` and those at `urls`, for one arch.

    `$arch` in a URL is the arch. Raises HubError naming the URL that does not answer or is no repo. May be repeated
    with another, empty output.
    """
    sources = [url.replace("$arch", arch) for url in urls]
    for url in sources:
        _check(url)
    blocked = local / "blocklist"
    blocked.touch()
    command = ["mergerepo_c", "--koji", "--pkgorigins", "--arch-expand", "--archlist", arch, "--outputdir", str(output)]
    command += ["--blocked", str(blocked)]
    command += ["--groupfile", str(groups)] if groups else []
    for url in [f"file://{local}/", *sources]:
        command += ["--repo", url]
    _run(command, output.parent)


def _check(url: str) -> None:
    repomd = url.rstrip("/") + "/repodata/repomd.xml"
    try:
        with urllib.request.urlopen(repomd, timeout=_REPOMD_TIMEOUT) as answer:  # noqa: S310 - the user names the URL
            head = answer.read(4096)
    except (urllib.error.URLError, OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise HubError(
            f"External repo {url} cannot be used: {getattr(error, 'reason', error)}",
            details=f"asked for {repomd}",
            resolution="Name the directory that holds repodata/, as a URL or path that this machine can read.",
        ) from error
    if b"<repomd" not in head:
        raise HubError(
            f"External repo {url} is no yum repository: its repomd.xml is something else",
            details=head[:200].decode("utf-8", "replace"),
            resolution="Name the directory that holds repodata/.",
        )


def _run(command: Sequence[str], scratch: Path) -> None:
    with tempfile.TemporaryDirectory(dir=scratch) as temporary:
        environment = os.environ | {"TMPDIR": temporary}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TOOL_TIMEOUT, env=environment, check=False
            )
        except FileNotFoundError as error:
            raise HubError(
                f"{command[0]} is not installed",
                resolution="Install the package createrepo_c (createrepo-c on Debian).",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise HubError(
                f"{command[0]} did not end within {_TOOL_TIMEOUT:.0f} s", details=" ".join(command)
            ) from error
    if done.returncode:
        raise HubError(
            f"{command[0]} failed with status {done.returncode}",
            details=f"{' '.join(command)}\n{(done.stderr or done.stdout).strip()[-2000:]}",
        )
