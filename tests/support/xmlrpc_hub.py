"""A hub of a hundred lines for tests of the session: logins, call numbers, and trouble on demand.

`TinyHub.trouble` is a list of what happens to the next calls, each one of: `drop` (the connection is cut before the call is
acted upon), `lose` (the call acts, then the connection is cut), an HTTP status, `html`, `hang` (until the hub stops), or an
`xmlrpc.client.Fault`. An empty list means that all is well.
"""

from __future__ import annotations

import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xmlrpc.client import Fault, dumps, loads

import koji


class TinyHub:
    """Answers XML-RPC on loopback until `stop`."""

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, authenticate: Callable[[Any], str | None] | None = None
    ) -> None:
        """`authenticate` gets the request handler of a call to /ssllogin; it returns the user, or answers 401 itself."""
        self.authenticate = authenticate
        self.users: list[str] = []
        """Who logged in."""
        self.trouble: list[Any] = []
        self.acted: list[tuple[str, int | None]] = []
        """(method, call number) of each call that had its effect."""
        self.seen: list[tuple[str, int | None]] = []
        self.sessions: dict[int, dict[str, Any]] = {}
        self.methods: dict[str, Callable[..., Any]] = {"echo": lambda *args: list(args)}
        self.arrived = threading.Event()
        """Set whenever a request has come."""
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        hub = self

        class Handler(_Handler):
            owner = hub

        self.server = _QuietServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        base = "https://localhost" if tls else "http://127.0.0.1"
        self.url = f"{base}:{self.server.server_address[1]}/kojihub"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def answer(self, method: str, args: tuple[Any, ...], headers: Any) -> Any:
        """Act on one call; raises Fault."""
        args, opts = koji.decode_args(*args)
        session = self.session_of(method, headers)
        number = int(headers["Koji-Session-Callnum"]) if session else None
        if method in {"login", "sslLogin"}:
            return self._log_in(session, opts)
        if session is None and method != "echo":
            raise Fault(koji.AuthError.faultCode, "Not logged in")
        if session and number is not None:
            self._count(session, method, number)
        self.acted.append((method, number))
        if method == "subsession":
            return self._new(exclusive=False)
        if method == "exclusiveSession":
            session["exclusive"] = True
            return None
        if method == "logout":
            session["closed"] = True
            return None
        if method not in self.methods:
            raise Fault(koji.GenericError.faultCode, f"Invalid method: {method}")
        return self.methods[method](*args, **opts)

    def session_of(self, method: str, headers: Any) -> dict[str, Any] | None:
        if "Koji-Session-Id" not in headers:
            return None
        session = self.sessions.get(int(headers["Koji-Session-Id"]))
        if session is None or session["closed"] or session["key"] != headers["Koji-Session-Key"]:
            raise Fault(koji.AuthError.faultCode, "Invalid session or bad credentials")
        if session["expired"] and method not in {"login", "sslLogin"}:
            raise Fault(koji.AuthExpired.faultCode, "session has expired")
        return session

    def _log_in(self, session: dict[str, Any] | None, opts: dict[str, Any]) -> dict[str, Any]:
        if opts.get("renew") and session is not None:
            session["key"] += "+"
            session["expired"] = False
            return {"session-id": session["id"], "session-key": session["key"], "header-auth": True}
        return self._new(exclusive=False)

    def _new(self, *, exclusive: bool) -> dict[str, Any]:
        number = len(self.sessions) + 1
        key = f"secret-{number}"
        self.sessions[number] = {
            "id": number,
            "key": key,
            "closed": False,
            "expired": False,
            "exclusive": exclusive,
            "last": None,
        }
        return {"session-id": number, "session-key": key, "header-auth": True}

    def _count(self, session: dict[str, Any], method: str, number: int) -> None:
        last = session["last"]
        if last is not None and last > number:
            raise Fault(koji.SequenceError.faultCode, f"{last} > {number} (session {session['id']})")
        if last == number:
            raise Fault(koji.RetryError.faultCode, f"unable to retry call {number} (method {method})")
        session["last"] = number


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up, or whose certificate is refused."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: TinyHub
    proof = ""
    """What SPNEGO answers with, to authenticate the server."""

    def log_message(self, *_args: Any) -> None:
        """Stay silent."""

    def do_POST(self) -> None:
        hub = self.owner
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"] == "text/xml":
            args, method = loads(body)
        else:
            query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
            args, method = (body, query), "rawUpload"
        if self.path.endswith("/ssllogin") and hub.authenticate is not None:
            user = hub.authenticate(self)
            if user is None:
                return
            hub.users.append(user)
        number = self.headers.get("Koji-Session-Callnum")
        hub.seen.append((str(method), int(number) if number else None))
        hub.arrived.set()
        trouble = hub.trouble.pop(0) if hub.trouble else None
        if trouble == "drop":
            self._cut()
        elif trouble == "hang":
            hub.stopping.wait(60)
            self.close_connection = True
        elif isinstance(trouble, int):
            self._send(trouble, b"trouble", "text/plain")
        elif trouble == "html":
            self._send(200, b"<html><body>Welcome</body></html>", "text/html")
        else:
            self._act(str(method), args, trouble)

    def _act(self, method: str, args: tuple[Any, ...], trouble: Any) -> None:
        try:
            if isinstance(trouble, Fault):
                raise trouble
            with self.owner.lock:
                answer: Any = dumps(
                    (self.owner.answer(method, args, self.headers),), methodresponse=True, allow_none=True
                )
        except Fault as fault:
            answer = dumps(fault, allow_none=True)
        if trouble == "lose":
            self._cut()
        else:
            self._send(200, answer.encode(), "text/xml")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.proof:
            self.send_header("WWW-Authenticate", f"Negotiate {self.proof}")
            self.proof = ""
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class UploadArea:
    """Uploaded files by (directory, name), with the hub's rules of `overwrite=1`; `refuse` is raised if set."""

    def __init__(self, hub: TinyHub) -> None:
        self.files: dict[tuple[str, str], bytes] = {}
        self.chunks: list[tuple[str, int, int]] = []
        self.refuse: Fault | None = None
        self.changed = threading.Condition()
        hub.methods["rawUpload"] = self.upload
        hub.methods["checkUpload"] = self.check

    def upload(self, body: bytes, query: dict[str, str]) -> dict[str, Any]:
        if self.refuse is not None:
            raise self.refuse
        key, offset = (query["filepath"], query["filename"]), int(query["offset"])
        with self.changed:
            held = self.files.get(key, b"")
            self.files[key] = held[:offset].ljust(offset, b"\0") + body
            self.chunks.append((query["filename"], offset, len(body)))
            self.changed.notify_all()
        return {"size": len(body), "fileverify": "adler32", "offset": offset, "hexdigest": f"{zlib.adler32(body):08x}"}

    def check(self, path: str, name: str, verify: str | None = None) -> dict[str, Any] | None:
        held = self.files.get((path, name))
        if held is None:
            return None
        return {"size": len(held), "mtime": 0, "sumlength": len(held), "hexdigest": f"{zlib.adler32(held):08x}"}

    def wait_for(self, path: str, name: str, content: bytes, seconds: float = 60) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.files.get((path, name)) == content, seconds)
