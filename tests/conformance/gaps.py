"""What a runtime is known not to keep, by test name. Exact: a test that passes in spite of being listed fails the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_NO_CGROUP = "an unprivileged user has no cgroup of version 1 to set limits in"
_V1 = not Path("/sys/fs/cgroup/cgroup.controllers").exists()

GAPS: Mapping[str, Mapping[str, str]] = {
    "podman": {},
    "rootless": {
        "test_memory_limit_is_visible": _NO_CGROUP,
        "test_pids_limit_is_visible": _NO_CGROUP,
        "test_cpu_limit_is_visible": _NO_CGROUP,
        "test_out_of_memory_is_named": _NO_CGROUP,
        "test_run_out_of_memory": _NO_CGROUP,
    }
    if _V1
    else {},
    "memory": {},
    "faulty-podman": {},
    "faulty-memory": {},
}
"""Runtime -> test function -> why."""
