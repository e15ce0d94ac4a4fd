"""An HTTP server that answers for pods as an API server does, and lies as one does: cut watches, old versions, refusals."""

from __future__ import annotations

import json
import queue
import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import yaml

PATH = "/api/v1/namespaces/builds/pods"
CUT: Any = object()


class ApiServer:
    """Serves the pods of namespace `builds` while used as a context manager. `requests` counts what was asked by kind."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.refuse: dict[str, tuple[int, str]] = {}
        """Status and message for a kind of request, until taken out."""
        self.token: str | None = None
        """The only one that is accepted; None: any."""
        self._lock = threading.Lock()
        self._pods: dict[str, Mapping[str, Any]] = {}
        self._version = 0
        self._watchers: list[queue.SimpleQueue[Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def put(self, name: str, *, silently: bool = False, **status: Any) -> Mapping[str, Any]:
        """Make or change a pod; `silently`: no watch hears of it."""
        with self._lock:
            self._version += 1
            kind = "MODIFIED" if name in self._pods else "ADDED"
            metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(self._version)}
            pod = {"kind": "Pod", "metadata": {**metadata, "namespace": "builds"}, "status": status}
            self._pods[name] = pod
            if not silently:
                self._tell({"type": kind, "object": pod})
        return pod

    def take(self, name: str, *, silently: bool = False) -> None:
        """Remove a pod."""
        with self._lock:
            self._version += 1
            pod = self._pods.pop(name)
            if not silently:
                self._tell({"type": "DELETED", "object": pod})

    def expire(self) -> None:
        """Tell all watches that what they follow is forgotten."""
        with self._lock:
            self._tell({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}})
            self._tell(CUT)

    def cut(self) -> None:
        """End all watches without a word."""
        with self._lock:
            self._tell(CUT)

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig that leads here."""
        server = f"http://127.0.0.1:{self._server.server_port}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "builds"}}],
            "current-context": "x",
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.cut()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _tell(self, event: Any) -> None:
        for watcher in self._watchers:
            watcher.put(event)

    def _answer(self, path: str, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        name = path.removeprefix(PATH).strip("/")
        kind = "watch" if "watch" in query else "get" if name else "list"
        with self._lock:
            self.requests[kind] += 1
            if kind in self.refuse:
                status, message = self.refuse[kind]
                return status, {"kind": "Status", "message": message}
            if kind == "watch":
                events: queue.SimpleQueue[Any] = queue.SimpleQueue()
                self._watchers.append(events)
                return 200, events
            if kind == "list":
                return 200, {"metadata": {"resourceVersion": str(self._version)}, "items": list(self._pods.values())}
            found = self._pods.get(name)
        return (200, found) if found else (404, {"kind": "Status", "reason": "NotFound", "message": "not found"})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                found = urlsplit(self.path)
                status, answer = 401, {"kind": "Status", "reason": "Unauthorized"}
                if outer.token is None or self.headers["Authorization"] == f"Bearer {outer.token}":
                    status, answer = outer._answer(found.path, parse_qs(found.query))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if isinstance(answer, queue.SimpleQueue):
                    self._stream(answer)
                    return
                body = json.dumps(answer).encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _stream(self, events: queue.SimpleQueue[Any]) -> None:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.close_connection = True
                while (event := events.get()) is not CUT:
                    line = json.dumps(event).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        return Handler
