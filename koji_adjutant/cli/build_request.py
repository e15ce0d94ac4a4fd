"""`koji-adjutant build`: what the command line asks for, checked before anything is started."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from koji_adjutant.buildroot.arches import canonical_arch
from koji_adjutant.errors import UsageError

DEFAULT_RESULT = "result"
SCHEMES = ("http", "https")


@dataclass(frozen=True)
class BuildRequest:
    """One call of the command."""

    srpm: Path
    repos: tuple[str, ...]
    """URLs, or absolute paths of this machine; `$arch` in them is replaced."""
    groups: tuple[str, ...]
    """Names of groups in the repositories. Neither names nor files: the usual ones."""
    group_files: tuple[Path, ...]
    tools_image: str | None
    macros: Mapping[str, str]
    result: Path
    arch: str
    keep: bool = False
    verbose: bool = False

    @property
    def br_arch(self) -> str:
        """The arch that names repository and buildroot."""
        return canonical_arch(self.arch)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.add_argument("srpm", metavar="SRPM", help="source package to build")
    parser.add_argument(
        "--repo",
        metavar="URL",
        action="append",
        default=[],
        help="yum repository to build from: http, https or file URL, or a path; $arch in it is the arch. May be repeated",
    )
    parser.add_argument(
        "--group",
        metavar="FILE|NAME",
        action="append",
        default=[],
        help="packages every build root holds: a group of the repositories, or a comps file. May be repeated "
        "(default: the group `build`, else `buildsys-build`)",
    )
    parser.add_argument("--tools-image", metavar="IMAGE", help="image with dnf and rpm (default: images.tools)")
    parser.add_argument(
        "--define",
        metavar="'NAME VALUE'",
        action="append",
        default=[],
        help="macro for rpmbuild, as its own --define takes it. May be repeated",
    )
    parser.add_argument(
        "--result", metavar="DIR", default=DEFAULT_RESULT, help="where packages and logs go (default: ./%(default)s)"
    )
    parser.add_argument("--keep", action="store_true", help="keep the build root and say how to enter it")
    parser.add_argument("--arch", metavar="ARCH", help="arch to build for (default: this machine's)")
    parser.add_argument("-v", "--verbose", action="store_true", help="show build.log while it grows")
    parser.add_argument("--debug", action="store_true", help="show the builder's own log")


def read_request(arguments: argparse.Namespace) -> BuildRequest:
    """Check the arguments.

    Raises:
        UsageError: a file that is not there, no repository, a macro or result directory that cannot be.
    """
    arch = arguments.arch or platform.machine()
    groups, files = _split_groups(arguments.group)
    return BuildRequest(
        srpm=_srpm(arguments.srpm),
        repos=_repos(arguments.repo, canonical_arch(arch)),
        groups=groups,
        group_files=files,
        tools_image=arguments.tools_image,
        macros=_macros(arguments.define),
        result=_result(arguments.result),
        arch=arch,
        keep=arguments.keep,
        verbose=arguments.verbose,
    )


def _srpm(name: str) -> Path:
    path = Path(name).resolve()
    if path.is_dir():
        raise UsageError(f"{name} is a directory", resolution="Name a source package, such as foo-1.0-1.src.rpm.")
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}", resolution="Name a source package.") from error


def _repos(given: Sequence[str], arch: str) -> tuple[str, ...]:
    if not given:
        raise UsageError(
            "no repository to build from",
            resolution="Give --repo URL for each yum repository: one that holds a whole distribution with the group `build` "
            "or `buildsys-build`, such as --repo https://mirror.example.com/releases/42/Everything/$arch/os/.",
        )
    return tuple(dict.fromkeys(_repo(name.replace("$arch", arch)) for name in given))


def _repo(name: str) -> str:
    parts = urlsplit(name)
    if parts.scheme in SCHEMES:
        return name
    if parts.scheme not in {"", "file"} or (parts.scheme and parts.netloc not in {"", "localhost"}):
        raise UsageError(
            f"--repo {name}: only http, https and file URLs and paths are understood",
            resolution="Give the directory that holds repodata/.",
        )
    path = Path(unquote(parts.path) if parts.scheme else name).resolve()
    if not (path / "repodata" / "repomd.xml").is_file():
        raise UsageError(
            f"--repo {name}: there is no {path}/repodata/repomd.xml",
            resolution="Give the directory that holds repodata/; createrepo_c makes it.",
        )
    return str(path)


def _split_groups(given: Iterable[str]) -> tuple[tuple[str, ...], tuple[Path, ...]]:
    names, files = [], []
    for value in given:
        if os.sep in value or value.endswith(".xml") or Path(value).is_file():
            files.append(_group_file(value))
        else:
            names.append(value)
    return tuple(dict.fromkeys(names)), tuple(files)


def _group_file(value: str) -> Path:
    path = Path(value).absolute()
    if not path.is_file():
        raise UsageError(f"--group {value}: there is no such file", resolution="Name a comps file or a group.")
    return path


def _macros(given: Iterable[str]) -> Mapping[str, str]:
    macros = {}
    for text in given:
        name, _, value = text.strip().partition(" ")
        if not name.replace("_", "a").isalnum() or not value.strip():
            raise UsageError(
                f"--define {text!r} is not a macro with a value",
                resolution="Write it as rpmbuild does: --define 'dist .el9'.",
            )
        macros[name] = value.strip()
    return macros


def _result(name: str) -> Path:
    path = Path(name).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--result {name} cannot be made: {error.strerror}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"--result {name} is not writable", resolution="Name a directory of your own.")
    return path
