"""Leases of an API server in memory: versions, conflicts and refusals as the real one has them, and outages as a test wants."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from typing import Any

from koji_adjutant.errors import ContainerError, RuntimeUnavailable


class LeaseServer:
    """Answers `request` as `manager.lease_store.Requests` says. Thread-safe."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.away = threading.Event()
        """Set: no request is answered."""
        self.loses_replies = threading.Event()
        """Set: changes are made, but their answers are lost."""
        self.changed = threading.Condition()
        self.writes = 0
        self._version = 0

    def request(self, method: str, path: str, *, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        if self.away.is_set():
            raise RuntimeUnavailable("the API server does not answer")
        with self.changed:
            found = self._answer(method, path, body)
            if method != "GET":
                self.writes += 1
                self.changed.notify_all()
        if method != "GET" and self.loses_replies.is_set():
            raise RuntimeUnavailable("the reply was lost")
        return copy.deepcopy(found)

    def wait_for_writes(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until so many changes more than now have been made."""
        with self.changed:
            wanted = self.writes + count
            return self.changed.wait_for(lambda: self.writes >= wanted, timeout)

    def holder(self, name: str) -> str:
        with self.changed:
            return str(self.objects[name]["spec"].get("holderIdentity", ""))

    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        name = body["metadata"]["name"] if body is not None else path.rpartition("/")[2]
        before = self.objects.get(name)
        if method == "POST" and before is not None:
            raise ContainerError(f"{name} exists", reason="conflict")
        if method != "POST" and before is None:
            raise ContainerError(f"there is no {name}", reason="not-found")
        if body is None:
            assert before is not None
            return before
        if before is not None and body["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]:
            raise ContainerError(f"{name} has been modified", reason="conflict")
        self._version += 1
        made = copy.deepcopy(dict(body))
        made["metadata"]["resourceVersion"] = str(self._version)
        self.objects[name] = made
        return made
