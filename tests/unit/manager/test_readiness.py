"""Readiness: kojid's checks in kojid's order and words (contract 2.3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from koji_adjutant.manager.readiness import DiskSpace, HostState, Limits, Machine, judge, observe_machine

READY = HostState(enabled=True, capacity=2.0, task_load=0.0, open_tasks=0)
MACHINE = Machine(disks=(DiskSpace("/state", 9000),), load=1.0, cpus=2, free_memory_mb=1000)
LIMITS = Limits(maxjobs=10, minspace=8192, minmemory=500)


def host(**changed: object) -> HostState:
    return HostState(**{**READY.__dict__, **changed})  # type: ignore[arg-type] # a table of changes


def machine(**changed: object) -> Machine:
    return Machine(**{**MACHINE.__dict__, **changed})  # type: ignore[arg-type] # a table of changes


@pytest.mark.parametrize(
    ("state", "seen", "reason"),
    [
        (host(), machine(), ""),
        (host(stopping=True, enabled=False), machine(), "Stopping"),
        (host(restart_pending=True, enabled=False), machine(), "Pending restart"),
        (host(enabled=False, task_load=9.0), machine(), "Host is disabled"),
        (host(task_load=2.0), machine(), ""),
        (host(task_load=2.1, open_tasks=10), machine(), "Over capacity"),
        (host(open_tasks=9), machine(), ""),
        (host(open_tasks=10), machine(disks=()), "Full queue"),
        (
            host(),
            machine(disks=(DiskSpace("/state", 9000), DiskSpace("/store", 8191)), load=99.0),
            "Insufficient disk space at /store: 8191 MB, 8192 MB required",
        ),
        (host(), machine(disks=(DiskSpace("/gone", None),)), "No such directory: /gone"),
        (host(), machine(load=8.0), ""),
        (host(), machine(load=8.004), "Load average 8.00 > 8.00"),
        (host(), machine(load=9.5, free_memory_mb=1), "Load average 9.50 > 8.00"),
        (host(), machine(load=None), ""),
        (host(), machine(free_memory_mb=499), "Insufficient memory: 499 MB, 500 MB required"),
        (host(), machine(free_memory_mb=None), ""),
    ],
)
def test_first_failing_check_wins(state: HostState, seen: Machine, reason: str) -> None:
    """The first check that fails gives the reason; limits are strict where kojid's are."""
    answer = judge(state, seen, LIMITS)
    assert (answer.ready, answer.reason) == (not reason, reason)


def test_machine_is_observed(tmp_path: Path) -> None:
    """Disk, load and memory of this machine are read; a missing path is said to be missing."""
    seen = observe_machine([tmp_path, tmp_path / "gone"])
    assert seen.disks[0].free_mb is not None
    assert seen.disks[1] == DiskSpace(str(tmp_path / "gone"), None)
    assert seen.load is not None
    assert seen.cpus > 0


def test_load_of_a_cluster_is_not_this_machines(tmp_path: Path) -> None:
    """Where builds run elsewhere neither load nor memory of this machine count."""
    seen = observe_machine([tmp_path], local=False)
    assert (seen.load, seen.free_memory_mb) == (None, None)
