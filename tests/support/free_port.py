"""A port for a program that must be told one: below those that the kernel gives to whoever asks for any."""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOWEST = 20000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens.

    It is free until the program binds it: no connection and no `bind` to port 0 of another test gets it, since the kernel
    takes theirs from the range above.
    """
    highest = int(EPHEMERAL.read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(LOWEST, max(highest, LOWEST + 1000))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
