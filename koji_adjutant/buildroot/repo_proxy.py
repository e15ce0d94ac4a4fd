"""The only network of a `tools` container: HTTP over a unix socket, to the repositories of its task and nowhere else.

`tools` runs hostile package scripts, so it has no network of its own. The daemon listens on a socket in a directory that is
mounted into it; inside, `adjutant-runner relay-start 3128 SOCKET` listens for dnf on `PROXY_URL`. One proxy per task; all
share one package cache. A restarted daemon starts the proxy again at the same path, and the relay finds it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import structlog

from koji_adjutant.buildroot.repo_proxy_cache import PackageCache
from koji_adjutant.buildroot.repo_proxy_handler import Asked, ProxyHandler
from koji_adjutant.buildroot.repo_proxy_rules import parse_location, proxied_url
from koji_adjutant.buildroot.repo_proxy_upstream import RepoClient
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import ConfigurationError

__all__ = ["PROXY_PORT", "PROXY_SOCKET", "PROXY_URL", "PackageCache", "RepoProxy", "proxied_url", "relay_command"]

PROXY_SOCKET = "/run/adjutant/proxy/proxy.sock"
"""The socket as `tools` sees it."""
PROXY_PORT = 3128
PROXY_URL = f"http://127.0.0.1:{PROXY_PORT}"
"""What dnf in `tools` is given as `proxy`."""
_MOST_CONNECTIONS = 64
_log = structlog.get_logger(__name__)


def relay_command(port: int = PROXY_PORT, path: str = PROXY_SOCKET) -> list[str]:
    """What to execute in `tools`, as its root, before dnf runs. Returns at once; safe to repeat."""
    return [f"{BIN_DIR}/adjutant-runner", "relay-start", str(port), path]


class RepoProxy:
    """Serves URLs below `allowed` (absolute http and https URLs) on the unix socket `socket_path`.

    `cache` keeps what hardly ever changes. `upstream_proxy` is the site's own proxy, `verify` whether (or the CA file against
    which) certificates of repositories are checked. Thread-safe; `start` and `stop` are safe to repeat.

    Raises:
        ConfigurationError: something in `allowed` is no http or https URL.
    """

    def __init__(
        self,
        socket_path: Path,
        allowed: Sequence[str],
        *,
        cache: PackageCache | None = None,
        upstream_proxy: str | None = None,
        verify: bool | str | Path = True,
    ) -> None:
        self.socket_path = socket_path
        self._handler = type(
            "TaskProxyHandler",
            (ProxyHandler,),
            {
                "allowed": [_prefix(url) for url in allowed],
                "client": RepoClient(upstream_proxy, str(verify) if isinstance(verify, Path) else verify),
                "cache": cache,
                "asked": Asked(),
            },
        )
        self._lock = threading.Lock()
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen, in the place of a socket that an earlier daemon left. The socket's directory exists."""
        with self._lock:
            if self._server is not None:
                return
            self._server = _Server(self.socket_path, self._handler)
            threading.Thread(
                target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="repo-proxy", daemon=True
            ).start()
        _log.debug("repo_proxy.started", socket=str(self.socket_path))

    def stop(self) -> None:
        """Stop listening, cut what is under way, remove the socket."""
        with self._lock:
            server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        server.cut_connections()
        with contextlib.suppress(FileNotFoundError):
            self.socket_path.unlink()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """At most so many connections at once; one more is closed at once, and the client asks again."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = _MOST_CONNECTIONS

    def __init__(self, path: Path, handler: type[ProxyHandler]) -> None:
        self._path = path
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(str(path), handler)

    def server_bind(self) -> None:
        """Bind by way of the directory's descriptor: a path may be longer than an address can be."""
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path.name, dir_fd=directory)
            self.socket.bind(f"/proc/self/fd/{directory}/{self._path.name}")
            # Its directory is reached by the daemon and the container only; the container's root is somebody else here.
            os.chmod(self._path.name, 0o666, dir_fd=directory)  # noqa: S103 # see above
        finally:
            os.close(directory)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            room = len(self._open) < _MOST_CONNECTIONS
            if room:
                self._open.add(request)
        if room:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        """Let blocked reads and writes of connection threads fail."""
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
        _log.info("repo_proxy.connection_failed", exc_info=True)


def _prefix(url: str) -> Any:
    location = parse_location(url)
    if location is None or location.query:
        raise ConfigurationError(
            f"the repository {url!r} cannot be served to a build",
            resolution="Give an http:// or https:// URL without user name, password, query and `..`.",
        )
    return location
