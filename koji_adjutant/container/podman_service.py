"""The process behind a Podman socket: its limits bound those of its containers."""

from __future__ import annotations

import re
import resource
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from koji_adjutant.container.podman_stream import connect

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class ServiceLimits:
    """Hard limits of the service; None where there is none."""

    nofile: int | None
    nproc: int | None


def service_limits(socket_path: str, proc: Path = Path("/proc")) -> ServiceLimits:
    """Limits of the process that listens at `socket_path` (of this process, if that one's cannot be read).

    With socket activation the peer is systemd, whose limits are what its services get by default.
    """
    with connect(socket_path, 10.0) as connection:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid = _CREDENTIALS.unpack(raw)[0]
    try:
        text = (proc / str(pid) / "limits").read_text()
    except OSError:
        return ServiceLimits(_own(resource.RLIMIT_NOFILE), _own(resource.RLIMIT_NPROC))
    return ServiceLimits(_hard(text, "Max open files"), _hard(text, "Max processes"))


def _hard(text: str, name: str) -> int | None:
    found = re.search(rf"^{name}\s+\S+\s+(\d+|unlimited)", text, re.MULTILINE)
    return int(found[1]) if found and found[1].isdigit() else None


def _own(kind: int) -> int | None:
    hard = resource.getrlimit(kind)[1]
    return None if hard == resource.RLIM_INFINITY else hard
