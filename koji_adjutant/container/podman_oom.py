"""Whether the memory limit killed a container, from the kernel's own log.

Podman says it by conmon's event, which is late or missing with cgroup v1 (seen with conmon 2.1.6); the kernel names the
memory cgroup of every process it kills, and Podman's cgroups carry the container's id.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

KMSG = Path("/dev/kmsg")
KILLED_CODE = 137
_RECORD = 8192


def kernel_killed(container_id: str, kmsg: Path = KMSG) -> bool:
    """Whether the kernel's log names an out-of-memory kill by the limit of this container; False if it cannot be read."""
    wanted = f"libpod-{container_id}".encode()
    return any(b"oom_memcg=" in record and wanted in record.partition(b"oom_memcg=")[2] for record in _records(kmsg))


def _records(kmsg: Path) -> Iterator[bytes]:
    try:
        descriptor = os.open(kmsg, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        while True:
            try:
                record = os.read(descriptor, _RECORD)
            except BrokenPipeError:
                # Overwritten while we read: the kernel goes on with the oldest there is.
                continue
            except OSError:
                return
            if not record:
                return
            yield record
    finally:
        os.close(descriptor)
