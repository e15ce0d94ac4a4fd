"""A web server whose answers a test writes down: path to a list of (status, headers, body), the last one repeated."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]


class FileServer:
    """Serves on loopback until `stop`. A body of `HANG` is never sent."""

    HANG = b"hang"

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.stopping = threading.Event()
        self.hanging = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_args: Any) -> None:
                """Stay silent."""

            def do_GET(self) -> None:
                server.asked.append(self.path)
                answers = server.answers.get(self.path, [(404, {}, b"no")])
                status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                for key, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                if body == FileServer.HANG:
                    server.hanging.set()
                    server.stopping.wait(60)
                else:
                    self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def file(self, path: str, body: bytes) -> str:
        """Serve `body`; return its URL."""
        self.answers[path] = [(200, {}, body)]
        return self.url + path

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
