"""Whole builds by the hub's own scheduler: the tree of tasks, as anybody can see it, with what differs by chance masked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import koji

from tests.compare.lab import LabHub
from tests.compare.outcomes import OUR_LOGS, Difference

MASKS: Sequence[tuple[str, str]] = (
    (r"/[^ '\n]*/tasks/\d+/\d+/(local/)?", "WORKDIR/"),
    # kojid checks out below mock's root, we below a mount of the checkout's container.
    (r"/[^ '\"\n]*/scmroot/", "SCMROOT/"),
    (r"\btasks/\d+/\d+/", "TASK/"),
    (r"\bcompare/[\d.]+/", "UPLOAD/"),
    (r"\b(task|Task|build|buildroot|id[:=]) ?\d+", r"\1 N"),
    (r"task_id=\d+", "task_id=N"),
)
"""Ids and places that no two runs share."""


@dataclass(frozen=True)
class Node:
    """One task of a tree. `files` are names; `result` and `fault` are masked."""

    method: str
    label: str | None
    arch: str
    state: str
    weighs: bool
    fault: tuple[int, str] | None
    result: Any
    files: frozenset[str]
    children: tuple[Node, ...]

    @property
    def name(self) -> str:
        return f"{self.method}({self.label})" if self.label else self.method


def masked(value: Any) -> Any:
    """Return a result with ids and places replaced: numbers by their type, paths by what they mean."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return type(value).__name__
    if isinstance(value, str):
        for pattern, placeholder in MASKS:
            value = re.sub(pattern, placeholder, value)
        return value
    if isinstance(value, Mapping):
        return {key: masked(item) for key, item in value.items()}
    items = [masked(item) for item in value]
    return sorted(items) if all(isinstance(item, str) for item in items) else items


def tree(hub: LabHub, task_id: int) -> Node:
    """Read a task and all below it."""
    info = hub.session.getTaskInfo(task_id)
    fault, result = hub.result(task_id) if info["state"] != koji.TASK_STATES["CANCELED"] else (None, {})
    children = [tree(hub, child["id"]) for child in hub.session.getTaskChildren(task_id)]
    return Node(
        method=info["method"],
        label=info["label"],
        arch=info["arch"],
        state=koji.TASK_STATES[info["state"]],
        weighs=bool(info["weight"]),
        fault=None if fault is None else (fault[0], masked(fault[1])),
        result=masked(result),
        files=frozenset(hub.session.listTaskOutput(task_id)),
        children=tuple(sorted(children, key=lambda node: (node.method, node.label or "", node.arch))),
    )


def differences(ours: Node, theirs: Node, where: str = "") -> list[Difference]:
    """Return what differs between two trees; logs of ours may be more than theirs by `OUR_LOGS` (pure)."""
    place = f"{where}/{theirs.name}"
    found = [
        Difference(place, f"{what}: {getattr(ours, what)!r} / {getattr(theirs, what)!r}")
        for what in ("arch", "state", "weighs", "fault")
        if getattr(ours, what) != getattr(theirs, what)
    ]
    if _without_our_logs(ours.result) != theirs.result:
        found.append(Difference(place, f"result: {ours.result!r} / {theirs.result!r}"))
    if ours.files - OUR_LOGS != theirs.files:
        only = sorted(ours.files - OUR_LOGS - theirs.files), sorted(theirs.files - ours.files)
        found.append(Difference(place, f"files: only ours {only[0]}, only theirs {only[1]}"))
    names = [child.name for child in ours.children], [child.name for child in theirs.children]
    if names[0] != names[1]:
        return [*found, Difference(place, f"subtasks: {names[0]} / {names[1]}")]
    for left, right in zip(ours.children, theirs.children, strict=True):
        found += differences(left, right, place)
    return found


def _without_our_logs(result: Any) -> Any:
    if not isinstance(result, dict) or not isinstance(result.get("logs"), list):
        return result
    return {**result, "logs": [log for log in result["logs"] if Path(log).name not in OUR_LOGS]}


@contextmanager
def only(hub: LabHub, host: str, others: Sequence[str]) -> Iterator[None]:
    """Let `host` be the only enabled one of these; all are enabled afterwards."""
    for name in others:
        if name != host:
            hub.session.disableHost(name)
    try:
        yield
    finally:
        for name in others:
            hub.session.enableHost(name)
