"""What is read from the machine beside Podman: health, limits, the kernel's log, marked processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from koji_adjutant.container.podman_health import health
from koji_adjutant.container.podman_oom import kernel_killed
from koji_adjutant.container.podman_processes import EXEC_MARK, kill_marked
from koji_adjutant.container.podman_service import _hard

INFO = {
    "host": {
        "security": {"rootless": True, "seccompEnabled": True},
        "idMappings": {"uidmap": [{"container_id": 0, "size": 1}, {"container_id": 1, "size": 65536}]},
        "ociRuntime": {"name": "crun"},
    },
    "store": {"graphDriverName": "overlay"},
    "version": {"Version": "4.3.1"},
}


def _health(**changes):
    return health({**INFO, **changes}, userns=True, userns_size=65536, bridge=False)


def test_healthy():
    """A service with all that is needed has no problems."""
    found = _health()
    assert (found.capabilities, list(found.problems)) == ({"commit", "companion", "isolate", "userns"}, [])


@pytest.mark.parametrize(
    ("changes", "word", "lacks"),
    [
        ({"version": {"Version": "3.4.4"}}, "3.4.4", set()),
        ({"store": {"graphDriverName": "vfs"}}, "vfs", {"companion"}),
        ({"host": {**INFO["host"], "idMappings": None}}, "/etc/subuid", {"userns"}),
        ({"host": {**INFO["host"], "ociRuntime": {}}}, "crun", set()),
        ({"host": {**INFO["host"], "security": {"rootless": True, "seccompEnabled": False}}}, "seccomp", set()),
    ],
)
def test_problems_name_the_remedy(changes, word, lacks):
    """Each problem is told with what to do, and takes away the capability that depends on it."""
    found = _health(**changes)
    assert len(found.problems) == 1
    assert word in found.problems[0]
    assert {"commit", "companion", "isolate", "userns"} - found.capabilities == lacks


def test_kernel_log(tmp_path):
    """Only a kill by the limit of this very container counts; a log that cannot be read tells nothing."""
    log = tmp_path / "kmsg"
    log.write_bytes(
        b"6,1,1,-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/libpod_parent/libpod-abc,task_memcg=/x,uid=0\n"
    )
    assert kernel_killed("abc", log)
    assert not kernel_killed("def", log)
    assert not kernel_killed("abc", tmp_path / "nosuch")


def test_limits_of_a_process():
    """Hard limits are read from the kernel's table; unlimited is none."""
    text = "Limit  Soft Limit  Hard Limit  Units\nMax processes  10  20  processes\nMax open files  1024  unlimited  files\n"
    assert (_hard(text, "Max processes"), _hard(text, "Max open files")) == (20, None)


def test_marked_processes_are_killed():
    """A process with the mark is killed, wherever it is in the tree; others live."""
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    marked = subprocess.Popen(sleep, env={EXEC_MARK: "a-mark-of-this-test"}, start_new_session=True)
    other = subprocess.Popen(sleep, env={EXEC_MARK: "another-mark"})
    try:
        assert kill_marked("a-mark-of-this-test") == 0
        assert marked.wait(60) == -9
        assert other.poll() is None
    finally:
        for process in (marked, other):
            process.kill()
            process.wait()
