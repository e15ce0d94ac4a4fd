"""Two outcomes of the same source package: every difference that must be explained (pure but for reading headers)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from tests.compare import headers
from tests.compare.lab import TaskOutcome

OUR_LOGS = frozenset({"adjutant-env.json", "reproduce.sh"})
"""Files that koji-adjutant uploads beside kojid's."""


@dataclass(frozen=True)
class Difference:
    """One difference: where, and both values."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def compare(ours: TaskOutcome, theirs: TaskOutcome, anyway: Mapping[str, AbstractSet[str]]) -> list[Difference]:
    """Return what differs; `anyway` names by package what two runs of kojid and mock differ in."""
    return [
        *_ends(ours, theirs),
        *_results(ours, theirs),
        *_logs(ours, theirs),
        *_buildroots(ours, theirs),
        *_packages(ours, theirs, anyway),
    ]


def explanation(ours: TaskOutcome, theirs: TaskOutcome) -> str | None:
    """Return why two outcomes may differ as a whole; None if nothing explains it.

    mock with isolation `simple` leaves its builds the host's network (only `nspawn` cuts it), and `network-probe` says so.
    """
    mark = "network-probe: interfaces: "
    if ours.state == "CLOSED" and mark in _text(theirs) and f"{mark}lo\n" not in _text(theirs):
        return "mock with isolation simple does not take the network away from a build; ours has lo only"
    return None


def _text(outcome: TaskOutcome) -> str:
    log = outcome.logs.get("build.log")
    return log.read_text("utf-8", "replace") if log else ""


def differ_anyway(one: TaskOutcome, other: TaskOutcome) -> Mapping[str, AbstractSet[str]]:
    """Return by package the elements of its header that differ between two runs of one builder."""
    names = one.rpms.keys() & other.rpms.keys()
    return {
        name: headers.differences(headers.read_header(one.rpms[name]), headers.read_header(other.rpms[name]))
        for name in names
    }


def _ends(ours: TaskOutcome, theirs: TaskOutcome) -> list[Difference]:
    found = []
    if ours.state != theirs.state:
        found.append(Difference("state", f"{ours.state} / {theirs.state}"))
    if _fault(ours) != _fault(theirs):
        found.append(Difference("fault", f"{ours.fault} / {theirs.fault}"))
    return found


def _fault(outcome: TaskOutcome) -> tuple[int, str] | None:
    if outcome.fault is None:
        return None
    # Texts name files of the task below the builder's own work directory.
    code, text = outcome.fault
    return code, re.sub(rf"/[^ \n]*/tasks/\d+/{outcome.task_id}/", "WORKDIR/", text)


def _results(ours: TaskOutcome, theirs: TaskOutcome) -> list[Difference]:
    found = []
    if ours.result.keys() != theirs.result.keys():
        found.append(Difference("result", f"{sorted(ours.result)} / {sorted(theirs.result)}"))
    for key in sorted({"rpms", "srpms"} & ours.result.keys() & theirs.result.keys()):
        left, right = (sorted(Path(path).name for path in outcome.result[key]) for outcome in (ours, theirs))
        if left != right:
            found.append(Difference(f"result {key}", f"{left} / {right}"))
    if ours.result.get("brootid", 0).__class__ is not theirs.result.get("brootid", 0).__class__:
        found.append(Difference("result brootid", f"{ours.result['brootid']!r} / {theirs.result['brootid']!r}"))
    missing = _names(theirs.result.get("logs", ())) - _names(ours.result.get("logs", ()))
    if missing:
        found.append(Difference("result logs", f"ours lacks {sorted(missing)}"))
    return found


def _names(paths: object) -> frozenset[str]:
    assert isinstance(paths, list | tuple)
    return frozenset(Path(path).name for path in paths)


def _logs(ours: TaskOutcome, theirs: TaskOutcome) -> list[Difference]:
    found = []
    missing = theirs.logs.keys() - ours.logs.keys()
    if missing:
        found.append(Difference("logs", f"ours lacks {sorted(missing)}"))
    unknown = ours.logs.keys() - theirs.logs.keys() - OUR_LOGS
    if unknown:
        found.append(Difference("logs", f"only ours has {sorted(unknown)}"))
    empty = sorted(name for name, path in ours.logs.items() if not path.stat().st_size)
    if empty:
        found.append(Difference("logs", f"empty ones of ours: {empty}"))
    return found


def _buildroots(ours: TaskOutcome, theirs: TaskOutcome) -> list[Difference]:
    if len(ours.buildroots) != len(theirs.buildroots):
        return [Difference("buildroots", f"{len(ours.buildroots)} / {len(theirs.buildroots)}")]
    found = []
    for what, lefts, rights in (
        ("buildroot", ours.buildroots, theirs.buildroots),
        ("buildroot at start", ours.at_start, theirs.at_start),
    ):
        for left, right in zip(lefts, rights, strict=True):
            if left != right:
                text = f"only ours {sorted(left - right)} / only theirs {sorted(right - left)}"
                found.append(Difference(what, text))
    return found


def _packages(ours: TaskOutcome, theirs: TaskOutcome, anyway: Mapping[str, AbstractSet[str]]) -> list[Difference]:
    found = []
    if ours.rpms.keys() != theirs.rpms.keys():
        found.append(Difference("rpms", f"{sorted(ours.rpms)} / {sorted(theirs.rpms)}"))
    for name in sorted(ours.rpms.keys() & theirs.rpms.keys()):
        left, right = headers.read_header(ours.rpms[name]), headers.read_header(theirs.rpms[name])
        differing = headers.differences(left, right) - anyway.get(name, frozenset())
        found += [Difference(name, headers.describe(item, left, right)) for item in sorted(differing)]
        left_files, right_files = headers.files(left), headers.files(right)
        for path in sorted(left_files.keys() | right_files.keys()):
            if left_files.get(path) != right_files.get(path):
                found.append(Difference(f"{name} {path}", f"{left_files.get(path)} / {right_files.get(path)}"))
    return found
