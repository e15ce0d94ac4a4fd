"""One list and one watch for all pods of ours in a namespace, which feed whoever waits for a pod.

A watch lies in two ways: it ends (410 Gone, restarts of the server), and it falls silent. After an end it goes on where it
was; after an error everything is listed again. What is remembered is believed for as long as the watch shows life.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import structlog
import urllib3

from koji_adjutant.container.kubernetes_api import KubernetesApi, pods_path
from koji_adjutant.container.kubernetes_known import KnownPods, Pod
from koji_adjutant.container.kubernetes_refusal import ApiRefusal
from koji_adjutant.errors import AdjutantError, RuntimeUnavailable

Result = TypeVar("Result")

WATCH_SECONDS = 120
"""After which the server ends a watch and is asked for the next: one request in two minutes for all pods of a namespace."""
SILENCE = 135.0
"""Seconds without a word after which a watch is dead, and what is remembered is old."""
LOOK_AGAIN = 1.0
"""Seconds after which a judge is asked again though nothing changed: some of them look at the clock."""
_LONGEST_PAUSE = 5.0

_log = structlog.get_logger(__name__)


class PodWatch:
    """The pods of `namespace` that `selector` selects. Thread-safe; its thread starts with the first question."""

    def __init__(
        self, api: KubernetesApi, namespace: str, selector: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._selector = selector
        self._clock = clock
        self._known = KnownPods()
        self._changed = self._known.changed
        self._alive = float("-inf")
        self._tried = False
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._response: Any = None

    def get(self, name: str) -> Pod | None:
        """The pod of that name; None: there is none.

        Raises:
            ApiRefusal, RuntimeUnavailable: the server does not say.
        """
        self._start()
        with self._changed:
            if self._is_current():
                return self._known.get(name)
        return self._ask(name)

    def carrying(self, key: str, value: str) -> list[Pod]:
        """The pods whose label `key` is `value`. Raises as `get` does."""
        self._start()
        with self._changed:
            if self._is_current():
                return self._known.carrying(key, value)
        query = [("labelSelector", f"{self._selector},{key}={value}")]
        return list(self._api.request("GET", pods_path(self._namespace), query=query).get("items") or [])

    def why_gone(self, name: str) -> str:
        """Why a pod that was seen here is gone: `deleted` unless more is known."""
        return self._known.why_gone(name)

    def wait(self, name: str, judge: Callable[[Pod | None], Result | None], timeout: float) -> Result | None:
        """What `judge` first says of the pod but None; None when the time is over. It is asked at each change.

        Raises as `get` does, and what `judge` raises.
        """
        deadline = self._clock() + timeout
        while True:
            pod = self.get(name)
            found = judge(pod)
            left = deadline - self._clock()
            if found is not None or left <= 0:
                return found
            self._await_news(name, pod, min(left, LOOK_AGAIN))

    def note(self, pod: Pod) -> None:
        """Take what an answer to a request said of a pod, unless newer is known."""
        self._known.note(pod)

    def bury(self, name: str, uid: str) -> None:
        """The pod is gone for sure: what is still said of it is old."""
        self._known.bury(name, uid)

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        with self._changed:
            response, thread = self._response, self._thread
            self._changed.notify_all()
        if response is not None:
            with contextlib.suppress(OSError, ValueError, urllib3.exceptions.HTTPError):
                response.shutdown()
        if thread is not None:
            thread.join(2.0)

    def _is_current(self) -> bool:
        return self._known.listed and self._clock() - self._alive < SILENCE

    def _await_news(self, name: str, seen: Pod | None, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._known.get(name) is not seen or self._closing.is_set(), timeout)

    def _start(self) -> None:
        """Start the thread, and let the first list come."""
        with self._changed:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name=f"pods-{self._namespace}", daemon=True)
                self._thread.start()
            if not self._tried:
                self._changed.wait_for(lambda: self._tried or self._closing.is_set(), SILENCE)

    def _ask(self, name: str) -> Pod | None:
        try:
            pod = self._api.request("GET", pods_path(self._namespace, name))
        except ApiRefusal as error:
            if error.status == 404:
                return None
            raise
        self._known.note(pod)
        with self._changed:
            return self._known.get(name)

    def _run(self) -> None:
        pause = 0.1
        while not self._closing.is_set():
            try:
                version = self._list()
                pause = 0.1
                while not self._closing.is_set():
                    version = self._watch(version)
            except (AdjutantError, urllib3.exceptions.HTTPError, OSError, ValueError, KeyError) as error:
                if self._closing.is_set():
                    return
                _log.info("pods.watch_broke", namespace=self._namespace, error=str(error))
            self._let_go_on()
            self._closing.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _list(self) -> str:
        found = self._api.request("GET", pods_path(self._namespace), query=[("labelSelector", self._selector)])
        version = str(found["metadata"]["resourceVersion"])
        with self._changed:
            self._known.replace(found.get("items") or [], version)
            self._alive = self._clock()
        self._let_go_on()
        return version

    def _let_go_on(self) -> None:
        with self._changed:
            self._tried = True
            self._changed.notify_all()

    def _watch(self, version: str) -> str:
        query = [
            ("labelSelector", self._selector),
            ("watch", "1"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(WATCH_SECONDS)),
            ("allowWatchBookmarks", "true"),
        ]
        response = self._api.open(pods_path(self._namespace), query, SILENCE)
        with self._changed:
            self._response, self._alive = response, self._clock()
        try:
            # Whoever closes sees the response, or we see that it is closing.
            if not self._closing.is_set():
                for event in _events(response):
                    version = self._take(event)
        finally:
            with self._changed:
                self._response = None
            response.close()
        with self._changed:
            self._alive = self._clock()
        return version

    def _take(self, event: Mapping[str, Any]) -> str:
        found = event.get("object") or {}
        if event.get("type") == "ERROR":
            # 410: what was asked for is forgotten there. Everything is listed anew.
            raise RuntimeUnavailable(f"the watch of {self._namespace} ended: {found.get('message') or found}")
        with self._changed:
            self._alive = self._clock()
            self._known.take(str(event.get("type")), found)
        return str(found["metadata"]["resourceVersion"])


class PodWatches:
    """One `PodWatch` for each namespace, made when first asked for. Thread-safe."""

    def __init__(self, api: KubernetesApi, selector: str) -> None:
        self._api = api
        self._selector = selector
        self._lock = threading.Lock()
        self._watches: dict[str, PodWatch] = {}

    def of(self, namespace: str) -> PodWatch:
        """The watch of a namespace."""
        with self._lock:
            if namespace not in self._watches:
                self._watches[namespace] = PodWatch(self._api, namespace, self._selector)
            return self._watches[namespace]

    def close(self) -> None:
        """End all."""
        with self._lock:
            watches = list(self._watches.values())
        for watch in watches:
            watch.close()


def _events(response: Any) -> Iterator[Mapping[str, Any]]:
    """The lines of a watch as they come."""
    held = b""
    for chunk in response.stream(amt=None, decode_content=False):
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)
