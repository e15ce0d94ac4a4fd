"""A registry that refuses: what a pull meets when it is denied, when there is nothing, and when the server is broken."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

_ANSWERS = {
    "denied": (403, "DENIED", "requested access to the resource is denied"),
    "missing": (404, "MANIFEST_UNKNOWN", "manifest unknown"),
    "broken": (500, "UNKNOWN", "internal error"),
}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind = next((kind for kind in _ANSWERS if f"/{kind}/" in self.path), "")
        status, code, message = _ANSWERS.get(kind, (200, "", ""))
        body = json.dumps({"errors": [{"code": code, "message": message}]} if kind else {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class Registry:
    """Listens on a port of this machine while used as a context manager."""

    def __init__(self, make: Callable[[Callable[[], ThreadingHTTPServer]], ThreadingHTTPServer] | None = None) -> None:
        """`make` calls what opens the socket: in another network namespace, maybe."""

        def listen() -> ThreadingHTTPServer:
            return ThreadingHTTPServer(("127.0.0.1", 0), _Handler)

        self._server = listen() if make is None else make(listen)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def reference(self, kind: str) -> str:
        """An image whose pull is `denied`, `missing` or `broken`."""
        return f"{self.address}/{kind}/image:1"

    def configure(self, path: Path) -> Path:
        """Write a registries.conf that lets Podman talk to it without TLS."""
        path.write_text(f'[[registry]]\nlocation = "{self.address}"\ninsecure = true\n')
        return path

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
