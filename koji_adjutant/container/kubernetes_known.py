"""What is known of pods: the newest that a list, a watch or an answer to a request said. No input or output."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from koji_adjutant.container.kubernetes_state import loss_reason

Pod = Mapping[str, Any]
_REMEMBERED = 1000
"""Pods that are gone, of which the end is remembered."""


class KnownPods:
    """Pods by name. Thread-safe; `changed` is notified at each change, and may be held over several calls."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.listed = False
        """Whether all pods are known: what is not here is not there."""
        self._pods: dict[str, Pod] = {}
        self._gone: dict[str, str] = {}
        self._buried: deque[str] = deque(maxlen=_REMEMBERED)

    def get(self, name: str) -> Pod | None:
        """The pod of that name."""
        with self.changed:
            return self._pods.get(name)

    def carrying(self, key: str, value: str) -> list[Pod]:
        """The pods whose label `key` is `value`."""
        with self.changed:
            pods = list(self._pods.values())
        return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(key) == value]

    def why_gone(self, name: str) -> str:
        """Why a pod is gone, `deleted` unless its last state told more."""
        with self.changed:
            return self._gone.get(name, "deleted")

    def note(self, pod: Pod) -> None:
        """Take one pod, unless newer is known of it, or it is known to be gone."""
        with self.changed:
            known = self._pods.get(_name(pod))
            if _uid(pod) in self._buried or (known is not None and _version(known) >= _version(pod)):
                return
            self._pods[_name(pod)] = pod
            self.changed.notify_all()

    def take(self, kind: str, pod: Pod) -> None:
        """Take one event of a watch; a `BOOKMARK` says nothing of a pod."""
        if kind in {"ADDED", "MODIFIED"}:
            self.note(pod)
        elif kind == "DELETED":
            self._went(pod)
            self.bury(_name(pod), _uid(pod))

    def replace(self, pods: Iterable[Pod], version: str) -> None:
        """Take a whole list, made at `version`. What a request said later than that is newer than the list."""
        with self.changed:
            fresh = {_name(pod): pod for pod in pods if _uid(pod) not in self._buried}
            for name, known in self._pods.items():
                listed = fresh.get(name)
                if _version(known) > (_number(version) if listed is None else _version(listed)):
                    fresh[name] = known
                elif listed is None:
                    self._went(known)
            self._pods = fresh
            self.listed = True
            self.changed.notify_all()

    def bury(self, name: str, uid: str) -> None:
        """A pod is gone for sure: what is still said of it is old."""
        with self.changed:
            self._buried.append(uid)
            known = self._pods.get(name)
            if known is not None and _uid(known) == uid:
                del self._pods[name]
            self.changed.notify_all()

    def _went(self, pod: Pod) -> None:
        with self.changed:
            self._gone[_name(pod)] = loss_reason(pod)
            while len(self._gone) > _REMEMBERED:
                del self._gone[next(iter(self._gone))]


def _name(pod: Pod) -> str:
    return str(pod["metadata"]["name"])


def _uid(pod: Pod) -> str:
    return str(pod["metadata"].get("uid") or "")


def _version(pod: Pod) -> int:
    return _number(str(pod["metadata"].get("resourceVersion") or "0"))


def _number(version: str) -> int:
    """Versions of one kind of object are compared as numbers, as the API allows since 1.35 and etcd has always made them."""
    return int(version) if version.isdigit() else 0
