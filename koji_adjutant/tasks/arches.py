"""For which arches a package is built, and on hosts of which arch: pure decisions (contract 4.1, build)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import koji
import koji.util

from koji_adjutant.hub.rpm_header import SRPMHeader


@dataclass(frozen=True)
class SourceArches:
    """What a source package says of arches."""

    build: tuple[str, ...] = ()
    exclusive: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @classmethod
    def of(cls, header: SRPMHeader) -> SourceArches:
        return cls(header.build_archs, header.exclusive_arch, header.exclude_arch)


def build_arches(
    config: Mapping[str, Any], source: SourceArches, *, extra: str | None = None, override: str | None = None
) -> list[str]:
    """Return the arches to build for, each once, the one that keeps its source package first.

    `config` is the build tag's, `extra` the package's extra arches, `override` those of a scratch build's user.

    Raises:
        koji.BuildError: the tag has no arches, or none is left.
    """
    if not config["arches"]:
        raise koji.BuildError("No arches for tag {name} [{id}]".format(**config))
    supported = _canonical(config["arches"].split())
    arches = override.split() if override else _asked(config["arches"].split() + (extra or "").split(), source)
    # An arch that no host of the tag could handle is left out without a word, as kojid does.
    kept = [arch for arch in arches if arch == "noarch" or koji.canonArch(arch) in supported]
    if not kept:
        raise koji.BuildError("No matching arches were found")
    return list(dict.fromkeys(kept))


def _asked(arches: Sequence[str], source: SourceArches) -> list[str]:
    asked = list(source.build or arches)
    if source.exclusive:
        asked = [arch for arch in asked if arch in source.exclusive]
    if source.exclude:
        asked = [arch for arch in asked if arch not in source.exclude]
    if "noarch" not in source.exclude and ("noarch" in source.build or "noarch" in source.exclusive):
        asked.append("noarch")
    return asked


def task_arches(
    arch: str, config: Mapping[str, Any], source: SourceArches, *, literal: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the arches of which a subtask for `arch` may be; any of them will do.

    A noarch subtask goes to any host, unless the package or the tag's `noarch_arches` keep it from some of the tag's
    arches: then it is given one of those that are left.

    Raises:
        koji.BuildError: none is left ("No valid arches were found. ...").
    """
    if koji.util.multi_fnmatch(arch, literal):
        return (arch,)
    if arch != "noarch":
        return (koji.canonArch(arch),)
    allowed = (config.get("extra") or {}).get("noarch_arches")
    if not (source.exclusive or source.exclude or allowed):
        return ("noarch",)
    tag = _canonical(config["arches"].split())
    exclusive, exclude = _canonical(source.exclusive), _canonical(source.exclude)
    choices = [choice for choice in _canonical(allowed.split()) if choice in tag] if allowed else list(tag)
    if exclusive:
        choices = [choice for choice in choices if choice in exclusive]
    choices = [choice for choice in choices if choice not in exclude]
    if not choices:
        raise koji.BuildError(
            f"No valid arches were found. tag {tag!r}, extra {allowed!r},exclusive {exclusive!r}, exclude {exclude!r}"
        )
    return ("noarch",) if set(choices) == set(tag) else tuple(choices)


def _canonical(arches: Sequence[str]) -> list[str]:
    return [koji.canonArch(arch) for arch in arches]
