"""When did the first rpmbuild of a task start? Read from /proc, the same way for a mock chroot and for a container."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


class RpmbuildWatch:
    """Notes when the first rpmbuild of a spec of this name begins after the watch has, unix time. Context manager."""

    def __init__(self, spec: str, poll: float = 0.01) -> None:
        self._spec = f"/{spec}.spec".encode()
        self._poll = poll
        self._stop = threading.Event()
        self._known = set(_rpmbuilds(self._spec))
        self.first: float | None = None
        self._thread = threading.Thread(target=self._watch, name="rpmbuild-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._poll):
            fresh = {pid: started for pid, started in _rpmbuilds(self._spec).items() if pid not in self._known}
            if fresh:
                self.first = min(fresh.values())
                return


def _rpmbuilds(spec: bytes) -> dict[int, float]:
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            comm, _, rest = (entry / "stat").read_text().rpartition(")")
            # Others may build beside it.
            ours = comm.endswith("(rpmbuild") and spec in (entry / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        if ours:
            found[int(entry.name)] = _boot_time() + int(rest.split()[19]) / _TICKS
    return found


def _boot_time() -> float:
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def memory_kib(pid: int) -> dict[str, int]:
    """Return VmRSS and VmHWM of a process in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    pairs = (line.split(":", 1) for line in lines if line.startswith(("VmRSS", "VmHWM")))
    return {name: int(value.split()[0]) for name, value in pairs}
