"""Serves the application in a thread of its own. Trouble with it never touches the daemon's work."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import uvicorn

log = structlog.get_logger(__name__)

STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Tls:
    """Certificate and key (one file may hold both), and the authority whose certificates clients must have."""

    cert: Path
    key: Path | None = None
    client_ca: Path | None = None

    def options(self) -> dict[str, Any]:
        """Return what uvicorn wants to know."""
        known: dict[str, Any] = {"ssl_certfile": str(self.cert), "ssl_keyfile": str(self.key or self.cert)}
        if self.client_ca is not None:
            known |= {"ssl_ca_certs": str(self.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
        return known


class MonitoringServer:
    """One listening socket. `start` and `stop` are the daemon's."""

    def __init__(
        self, app: Any, host: str, port: int, *, tls: Tls | None = None, closing: threading.Event | None = None
    ) -> None:
        """`closing` is set when the server stops: who streams has to end by itself."""
        self._host, self._port = host, port
        self._closing = closing or threading.Event()
        # Our own log says what matters; lines of each scrape do not.
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=1,
                **({} if tls is None else tls.options()),
            )
        )
        self._thread: threading.Thread | None = None
        self.address: tuple[str, int] | None = None
        """Where it listens; None while it does not."""

    def start(self) -> bool:
        """Listen and serve in the background; False, logged, if the address cannot be had: builds go on all the same."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # With its protocol named, asyncio sends small answers at once (TCP_NODELAY): else each may cost 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            # From here on nobody is turned away: who comes before the thread is up waits a moment.
            listener.listen()
        except OSError as error:
            listener.close()
            log.warning("monitoring.not_served", host=self._host, port=self._port, error=str(error))
            return False
        host, port = listener.getsockname()[:2]
        self.address = (str(host), int(port))
        self._thread = threading.Thread(target=self._run, args=(listener,), name="monitoring", daemon=True)
        self._thread.start()
        log.info("monitoring.served", host=host, port=port)
        return True

    def stop(self) -> None:
        """Answer what is under way and end; safe to repeat."""
        self._closing.set()
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            self._thread = None

    def _run(self, listener: socket.socket) -> None:
        try:
            # In a thread uvicorn leaves the process's signals alone.
            self._server.run(sockets=[listener])
        except Exception as error:  # top of the thread
            log.exception("monitoring.failed", error=str(error))
        finally:
            listener.close()
