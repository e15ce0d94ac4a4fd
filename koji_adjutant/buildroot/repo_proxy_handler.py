"""One connection of the repository proxy: requests of a hostile container, each answered or refused by name."""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

import structlog

from koji_adjutant.buildroot.repo_proxy_cache import PackageCache
from koji_adjutant.buildroot.repo_proxy_download import CachedFile
from koji_adjutant.buildroot.repo_proxy_rules import Location, allowed_location, is_immutable, tunnel_allowed
from koji_adjutant.buildroot.repo_proxy_upstream import ANSWER_HEADERS, CHUNK, REQUEST_HEADERS, Answer, RepoClient

_log = structlog.get_logger(__name__)
_IDLE = 600.0
"""Seconds after which a silent connection is closed."""
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")


class Asked:
    """How often a task has asked for each URL. Thread-safe.

    Who asks for a whole file a second time did not like the first one: its repository has replaced it under its name, or it is
    damaged here. librepo does so by itself when a checksum is not the one that the metadata promise.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: Counter[str] = Counter()

    def second_time(self, url: str) -> bool:
        """Count; whether this was the second time: later ones get what that one brought."""
        with self._lock:
            self._times[url] += 1
            return self._times[url] == 2


class ProxyHandler(BaseHTTPRequestHandler):
    """Serves GET, HEAD and CONNECT for URLs below the task's repositories. One thread per connection."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    allowed: Sequence[Location] = ()
    client: RepoClient
    cache: PackageCache | None = None
    asked: Asked

    def do_GET(self) -> None:
        self._guarded(self._serve)

    def do_HEAD(self) -> None:
        self._guarded(self._serve)

    def do_CONNECT(self) -> None:
        self._guarded(self._tunnel)

    def address_string(self) -> str:
        return "container"  # a unix socket has no address

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class names it so
        _log.debug("repo_proxy.answered", text=format % args)

    def _guarded(self, answer: Callable[[], None]) -> None:
        try:
            answer()
        except OSError as error:
            self.close_connection = True
            _log.info("repo_proxy.broken", url=self.path[:500], error=str(error))
            if not self._began:
                self._refuse(HTTPStatus.BAD_GATEWAY, f"{self.path} could not be fetched: {error}")

    _began = False

    def _serve(self) -> None:
        self._began = False
        location = allowed_location(self.allowed, self.path)
        if location is None:
            self._refuse(HTTPStatus.FORBIDDEN, f"{self.path} is not below a repository of this task")
        elif not self._serve_cached(location):
            self._pass_on(location)

    def _serve_cached(self, location: Location) -> bool:
        """Serve from the cache, filling it; False if that cannot be."""
        if self.cache is None or self.command != "GET" or not is_immutable(location):
            return False
        anew = "Range" not in self.headers and self.asked.second_time(location.url)
        file = self.cache.open(location.url, lambda: self.client.whole_file(location.url, anew=anew), anew=anew)
        if file is None:
            return False
        with contextlib.closing(file):
            self._send_file(file)
        return True

    def _send_file(self, file: CachedFile) -> None:
        start, end = _range(self.headers.get("Range"), file.length)
        partial = (start, end) != (0, file.length)
        headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        if partial:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.length}"
        self._begin(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK, headers, end - start)
        file.send(self.connection, start, end)

    def _pass_on(self, location: Location) -> None:
        headers = {name: self.headers[name] for name in REQUEST_HEADERS if name in self.headers}
        with self.client.ask(self.command, location.url, headers) as answer:
            kept = {name: answer.headers[name] for name in ANSWER_HEADERS if name in answer.headers}
            self._begin(answer.status, kept, answer.length)
            if self.command != "HEAD":
                self._copy_body(answer)

    def _copy_body(self, answer: Answer) -> None:
        sent = 0
        for chunk in answer.chunks():
            self.wfile.write(chunk)
            sent += len(chunk)
        if answer.length is not None and sent != answer.length:
            raise OSError(f"{sent} of {answer.length} bytes came")

    def _begin(self, status: int, headers: dict[str, str], length: int | None) -> None:
        self._began = True
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        bodiless = status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
        if length is not None:
            self.send_header("Content-Length", str(length))
        elif not bodiless:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        body = f"koji-adjutant repository proxy: {why[:2000]}\n".encode("utf-8", "backslashreplace")
        _log.warning("repo_proxy.refused", status=int(status), why=why[:500])
        with contextlib.suppress(OSError):
            self._begin(status, {"Content-Type": "text/plain; charset=utf-8"}, len(body))
            if self.command != "HEAD":
                self.wfile.write(body)

    def _tunnel(self) -> None:
        self._began = False
        host, _, port = self.path.rpartition(":")
        if not port.isdigit() or not tunnel_allowed(self.allowed, host.strip("[]"), int(port)):
            self._refuse(HTTPStatus.FORBIDDEN, f"no repository of this task is at https://{self.path}")
            return
        with self.client.tunnel(host.strip("[]"), int(port)) as link:
            self._began = True
            self.send_response(HTTPStatus.OK, "Connection established")
            self.end_headers()
            self.close_connection = True
            _forward(self.connection, link)


def _range(header: str | None, length: int) -> tuple[int, int]:
    """First and behind the last byte to send: one plain range that lies in the file, or all of it."""
    match = _RANGE.fullmatch(header or "")
    if match is None:
        return 0, length
    start = int(match[1])
    end = min(int(match[2]) + 1, length) if match[2] else length
    return (start, end) if start < end else (0, length)


def _forward(left: socket.socket, right: socket.socket) -> None:
    """Move bytes both ways until either side ends or both are silent for too long."""
    with selectors.DefaultSelector() as selector:
        selector.register(left, selectors.EVENT_READ, right)
        selector.register(right, selectors.EVENT_READ, left)
        while ready := selector.select(_IDLE):
            for key, _ in ready:
                data = key.fileobj.recv(CHUNK)  # type: ignore[union-attr] # only sockets are registered
                if not data:
                    return
                key.data.sendall(data)
