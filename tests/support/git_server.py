"""Git repositories over HTTP on an address that containers reach: `git http-backend` behind a small server of our own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

AUTHOR = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.com"}
COMMITTER = {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.com"}
NO_SETTINGS = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def reachable_address() -> str | None:
    """An address of this machine that is not its loopback, None if it has no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: the kernel only chooses.
            probe.connect(("198.51.100.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


def git(*words: str, cwd: Path, stdin: bytes = b"") -> str:
    """Run git as nobody's settings would have it; return what it prints."""
    env = {"PATH": os.environ["PATH"], **NO_SETTINGS, **AUTHOR, **COMMITTER}
    return subprocess.run(
        ["git", *words], cwd=cwd, env=env, input=stdin, check=True, capture_output=True
    ).stdout.decode()


class GitServer:
    """Serves the bare repositories below `directory`. Paths in `private` ask for the user and password given there.

    Each request sets `asked`.
    """

    def __init__(self, directory: Path, address: str) -> None:
        self.directory = directory
        self.private: dict[str, str] = {}
        self._open = threading.Event()
        self._open.set()
        self.asked = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_args: Any) -> None:
                """Stay silent."""

            def do_GET(self) -> None:
                server.answer(self)

            do_POST = do_GET

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.host = f"{address}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Let requests wait until the end of the context."""
        self.asked.clear()
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def repository(self, name: str, files: dict[str, bytes]) -> str:
        """Make `name`.git of one commit with `files`; return the commit."""
        work = self.directory / f"{name}.work"
        git("init", "-q", "-b", "main", str(work), cwd=self.directory)
        for path, data in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_bytes(data)
        git("add", "-A", cwd=work)
        git("commit", "-q", "--allow-empty", "-m", "one", cwd=work)
        return self.publish(name)

    def publish(self, name: str) -> str:
        """Make (again) the bare repository of the work tree `name`; return its HEAD."""
        bare = self.directory / f"{name}.git"
        shutil.rmtree(bare, ignore_errors=True)
        git("clone", "-q", "--bare", f"{name}.work", str(bare), cwd=self.directory)
        return git("rev-parse", "HEAD", cwd=bare).strip()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Let git's own CGI program answer."""
        self.asked.set()
        self._open.wait(60)
        path, _, query = request.path.partition("?")
        wanted = next((given for start, given in self.private.items() if path.startswith(start)), None)
        if wanted is not None and request.headers.get("Authorization") != f"Basic {wanted}":
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="test"')
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        env = {
            "PATH": os.environ["PATH"],
            **NO_SETTINGS,
            "GIT_PROJECT_ROOT": str(self.directory),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.command,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        done = subprocess.run(["git", "http-backend"], env=env, input=body, check=False, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        request.send_response(int(headers.pop("Status", "200").split()[0]))
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            request.send_header(key, value)
        request.end_headers()
        request.wfile.write(content)
