"""A directory over HTTP on the loopback interface, as repositories are served; it counts what was asked for."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        del size
        server = self.server
        assert isinstance(server, _Server)
        with server.lock:
            server.requests.append((self.path, int(code)))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Stay quiet: what is asked for is in `requests`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, directory: Path, address: str) -> None:
        self.requests: list[tuple[str, int]] = []
        self.lock = threading.Lock()
        super().__init__((address, 0), partial(_Handler, directory=str(directory)))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no error of the server."""


class RepoServer:
    """Serves `directory` until closed. Use as a context manager."""

    def __init__(self, directory: Path, address: str = "127.0.0.1") -> None:
        self.directory = directory
        self._server = _Server(directory, address)
        self.port: int = self._server.server_address[1]
        self.url = f"http://{address}:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="repo-server", daemon=True
        )
        self._thread.start()

    @property
    def requests(self) -> list[tuple[str, int]]:
        """Path and status of each request so far."""
        with self._server.lock:
            return list(self._server.requests)

    def close(self) -> None:
        """Stop serving. Returns when the port is free."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """Serve already."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop serving."""
        self.close()
