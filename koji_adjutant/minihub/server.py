"""HTTP of the embedded hub: POST to /kojihub, GET and HEAD below /kojifiles.

One thread per connection, connections are kept alive as the koji client expects. Stopping closes every connection, so a
client sees a hub that is down and not one that is slow.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qs, urlsplit

import koji
import structlog

from koji_adjutant.minihub import files
from koji_adjutant.minihub.faults import DropConnection, HttpError
from koji_adjutant.minihub.rpc import Dispatcher
from koji_adjutant.minihub.uploads import Upload

HUB_PATH = "/kojihub"
FILES_PATH = "/kojifiles"

_BLOCK = 1024 * 1024
_SPOOL = 4 * 1024 * 1024  # bytes of an upload kept in memory before it goes to a temporary file
_log = structlog.get_logger(__name__)


class HubServer(ThreadingHTTPServer):
    """Listens for one hub."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, HubRequest)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._connections_lock:
                self._connections.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """A client that went away is no news."""
        _log.debug("hub.connection_broken", client=client_address, exc_info=True)

    def close_connections(self) -> None:
        """Cut every connection, in the middle of whatever it does."""
        with self._connections_lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def external_directory(self, name: str) -> str | None:
        """Directory of an external repo that was given by path."""
        state = self.dispatcher.state
        with state.lock:
            found = state.db.value("SELECT directory FROM external_repo WHERE name = ?", (name,))
        return None if found is None else str(found)


class HubRequest(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "minihub"
    disable_nagle_algorithm = True
    wbufsize = 65536

    @property
    def _hub(self) -> HubServer:
        return cast("HubServer", self.server)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Requests are the callers' to log."""

    def do_POST(self) -> None:
        """A call or an upload."""
        url = urlsplit(self.path)
        if url.path.rstrip("/") not in (HUB_PATH, HUB_PATH + "/ssllogin"):
            return self._refuse(404, "Not Found")
        length = self.headers.get("Content-Length")
        if length is None or not length.isdigit():
            return self._refuse(411, "Length Required")
        try:
            self._answer(self._perform(url.query, int(length)), "text/xml")
        except HttpError as error:
            self._refuse(error.status, error.reason)
        except DropConnection:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
        return None

    def _perform(self, query: str, length: int) -> str:
        names = {"id": "Koji-Session-Id", "key": "Koji-Session-Key", "callnum": "Koji-Session-Callnum"}
        headers = {name: self.headers.get(header) for name, header in names.items()}
        if any(not (headers[name] or "0").isdigit() for name in ("id", "callnum")):
            raise HttpError(400, "Invalid session headers")
        with tempfile.SpooledTemporaryFile(_SPOOL) as body:
            self._receive(cast("BinaryIO", body), length)
            if self.headers.get("Content-Type") == "application/octet-stream":
                return self._hub.dispatcher.answer_upload(_upload(query), cast("BinaryIO", body), length, headers)
            return self._hub.dispatcher.answer_call(body.read(), headers)

    def _receive(self, body: BinaryIO, length: int) -> None:
        left = length
        while left:
            block = self.rfile.read(min(left, _BLOCK))
            if not block:
                raise DropConnection
            body.write(block)
            left -= len(block)
        body.seek(0)

    def _answer(self, document: str, content_type: str) -> None:
        data = document.encode("utf-8", "surrogatepass")
        self.send_response(200)
        self.send_header("Koji-Version", str(koji.__version__))
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, status: int, reason: str) -> None:
        """An HTTP error; the connection ends, since the rest of the request may be unread."""
        data = (reason + "\n").encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_HEAD(self) -> None:
        """What a GET would say."""
        self._serve_file()

    def do_GET(self) -> None:
        """A file of topurl."""
        self._serve_file()

    def _serve_file(self) -> None:
        path = urlsplit(self.path).path
        if path.rstrip("/") == HUB_PATH:
            return self._refuse(405, "Method Not Allowed")
        if not path.startswith(FILES_PATH + "/"):
            return self._refuse(404, "Not Found")
        topdir = self._hub.dispatcher.state.topdir
        real = files.find(path[len(FILES_PATH) :], topdir, self._hub.external_directory)
        found = files.answer(real, self.headers.get("Range"))
        if found.stream is None:
            self._send_head(found.status, found.headers | {"Content-Length": "0"})
            return None
        with found.stream:
            self._send_head(found.status, found.headers | {"Content-Length": str(found.length)})
            if self.command == "GET":
                self._send_part(found)
        return None

    def _send_head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_part(self, found: files.Answer) -> None:
        assert found.stream is not None
        found.stream.seek(found.start)
        left = found.length
        while left and (block := found.stream.read(min(left, _BLOCK))):
            self.wfile.write(block)
            left -= len(block)
        if left:  # the file shrank: the promised length cannot be kept
            self.close_connection = True


def _upload(query: str) -> Upload:
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    if "filename" not in fields:
        raise HttpError(400, "an upload needs a filename")
    try:
        offset = int(fields.get("offset", "0"))
    except ValueError as error:
        raise HttpError(400, "an upload's offset is a number") from error
    return Upload(
        path=fields.get("filepath", ""),
        name=fields["filename"],
        verify=fields.get("fileverify", ""),
        offset=offset,
        overwrite=bool(fields.get("overwrite")),
        volume=fields.get("volume", "DEFAULT"),
    )
