"""A hundred megabytes of log: complete at the hub, in bounded memory of the daemon."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from tests.support.farm_fixtures import MakeFarm

MIB = 100
TAIL = b" 0123456789abcdefghijklmnopqrstuvwxyz 0123456789abcdefghijklmnopqrstuvwxyz 0123456789abcdefghijklmnopq\n"
GROWTH = 64 << 20
"""Bytes by which the daemon may grow."""


def _peak(pid: int) -> int:
    """Return the most memory that a process has had, in bytes."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) << 10


def _expected() -> str:
    """Return the checksum of what the sample prints."""
    digest = hashlib.sha256()
    for number in range(1, MIB * 8192 + 1):
        digest.update(b"big-log line %010d" % number + TAIL)
    return digest.hexdigest()


def test_big_log(make_farm: MakeFarm, samples: Mapping[str, Path]) -> None:
    """Every byte is there once; the daemon's peak grows by less than 64 MB over that of a small build."""
    farm = make_farm()
    daemon = farm.start()
    farm.closed(farm.build_arch(samples["noarch-data"]))
    farm.prepared()
    before = _peak(daemon.pid)
    task = farm.build_arch(samples["big-log"])
    farm.closed(task)
    assert _peak(daemon.pid) - before < GROWTH
    log = farm.output(task, "build.log")
    first = log.index(b"big-log line 0000000001")
    text = log[first : first + MIB * 8192 * (len(b"big-log line 0000000001") + len(TAIL))]
    assert hashlib.sha256(text).hexdigest() == _expected()
    assert log[first + len(text) :].startswith(b"+ echo 'big-log: end'\nbig-log: end\n")
