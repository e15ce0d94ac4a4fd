"""How a one-person build ended: built, the package's failure, or the infrastructure's; and the words for each."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from koji_adjutant.errors import AdjutantError, ContainerError, HubError
from koji_adjutant.hub.rpm_header import read_srpm_header
from koji_adjutant.minihub.tasks import CLOSED, FAILED

BUILD_ERROR = 1005
"""Fault code of koji.BuildError: what kojid says when a package does not build."""
TAIL_LINES = 20
TAIL_BYTES = 64 << 10
LINE_LENGTH = 300
"""Commands are logged with their whole environment; a terminal need not show all of it."""


class PackageError(AdjutantError):
    """The package does not build, or is none. Exit code 1."""


class InfrastructureError(ContainerError):
    """Hub, runtime, image or disk: not the package's doing. Exit code 75."""


class End(Enum):
    """Whose the end is."""

    BUILT = "built"
    PACKAGE = "package"
    INFRASTRUCTURE = "infrastructure"


@dataclass(frozen=True)
class Outcome:
    """The end of the task; `text` is the fault, in kojid's words, or what kept the task from being done."""

    end: End
    text: str = ""


def outcome_of(state: int, result: Any, refusal: str) -> Outcome:
    """Judge the end of a task. Pure.

    `result` is what the hub has for it, a fault as a dict. A task that is not at its end was given back.
    """
    if state == CLOSED:
        return Outcome(End.BUILT)
    if state != FAILED:
        return Outcome(End.INFRASTRUCTURE, refusal or "the task was given back without a reason; --debug shows more")
    fault: Mapping[str, Any] = result if isinstance(result, dict) else {}
    text = str(fault.get("faultString") or result)
    package = fault.get("faultCode") == BUILD_ERROR
    return Outcome(End.PACKAGE if package else End.INFRASTRUCTURE, text)


def check_source(path: Path) -> None:
    """Look at the file before anything is started.

    Raises:
        PackageError: it is no source package; names the file.
    """
    try:
        header = read_srpm_header(path)
    except HubError as error:
        raise PackageError(
            f"{path} cannot be built: {error.brief.removeprefix(f'{path.name}: ').removeprefix(f'{path}: ')}",
            details=_looks_like(path),
            resolution="Fetch it again, or make it with rpmbuild -bs.",
        ) from error
    if not header.is_source:
        raise PackageError(
            f"{path} cannot be built: not a source package", resolution="Give the .src.rpm it was made from."
        )


def _looks_like(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(512).lstrip().lower()
    if head.startswith((b"<!doctype", b"<html")):
        return "It is an HTML page: a server may have answered with an error or a login."
    return "" if head else "It is empty."


def named_log(text: str, directory: Path) -> Path | None:
    """Return the log that kojid's sentence names ("see build.log or root.log"), the first that holds something."""
    found = re.search(r"see ([\w.]+)(?: or ([\w.]+))?", text)
    names = [name for name in found.groups() if name] if found else []
    paths = [directory / name for name in (*names, "build.log", "root.log")]
    return next((path for path in paths if path.is_file() and path.stat().st_size), None)


def last_lines(path: Path) -> list[str]:
    """Return the last lines of a log, fit for a terminal."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return [_shown(line) for line in lines[-TAIL_LINES:]]


def _shown(line: str) -> str:
    text = "".join(c for c in line if c.isprintable() or c == "\t")
    return text if len(text) <= LINE_LENGTH else f"{text[:LINE_LENGTH]} [...]"


def copy_results(source: Path, target: Path) -> list[Path]:
    """Copy the files of a task; each appears whole. Return where they are, packages first.

    Raises:
        OSError: the disk.
    """
    copied = []
    for path in sorted(source.iterdir()) if source.is_dir() else []:
        if path.is_file():
            partial = target / f".{path.name}.part"
            shutil.copyfile(path, partial)
            partial.chmod(0o755 if path.suffix == ".sh" else 0o644)
            partial.replace(target / path.name)
            copied.append(target / path.name)
    return sorted(copied, key=lambda path: (path.suffix != ".rpm", path.name))


def listing(title: str, paths: Sequence[Path]) -> str:
    """Return paths below a title; nothing without paths."""
    return "\n".join([f"{title}:", *(f"  {path}" for path in paths)]) + "\n" if paths else ""
