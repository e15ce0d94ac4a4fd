"""Messages to systemd (`Type=notify`): ready, restarting, stopping, status, watchdog. Without NOTIFY_SOCKET nothing happens."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

import structlog

log = structlog.get_logger(__name__)


class ServiceNotifier:
    """Sends `sd_notify` messages. Thread-safe: each message has a socket of its own. A message that is lost is only logged."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watched = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_seconds = int(environ.get("WATCHDOG_USEC") or 0) / 1e6 if watched else 0.0
        """Seconds within which systemd wants to hear from us; 0: it does not."""

    def ready(self, status: str = "") -> None:
        self._send("READY=1", status)

    def restarting(self, status: str = "") -> None:
        """Say that this process loads itself anew; `ready` ends it.

        STOPPING would be wrong: systemd would wait for the end of the process and kill it when none comes.
        """
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}", status)

    def stopping(self, status: str = "") -> None:
        self._send("STOPPING=1", status)

    def status(self, status: str) -> None:
        self._send(status=status)

    def alive(self) -> None:
        """Tell the watchdog that the daemon works."""
        if self.watchdog_seconds:
            self._send("WATCHDOG=1")

    def more_time(self, seconds: float) -> None:
        """Ask systemd not to lose patience with a stop before `seconds` from now."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _send(self, message: str = "", status: str = "") -> None:
        if not self._address:
            return
        lines = [message, f"STATUS={' '.join(status.split())}" if status else ""]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.sendto("\n".join(line for line in lines if line).encode(), self._address)
        except OSError as error:
            log.info("service.not_notified", message=message, error=str(error))
