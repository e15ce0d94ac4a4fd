"""`adjutant-runner run` of a step that exists."""

from __future__ import annotations

import os
import subprocess
import zlib
from pathlib import Path

from tests.support.runner_calls import RUNNER, TIME_LIMIT, needs_root, needs_runner

pytestmark = [needs_runner, needs_root]
RUN_ID = b"0123456789abcdef" * 2


def test_the_request_is_read_although_the_step_exists(tmp_path: Path) -> None:
    """Podman loses the answer of a command that ends with input unread, and a start that was repeated would never end."""
    (tmp_path / "step").mkdir(mode=0o700)
    (tmp_path / "step" / "run-id").write_bytes(RUN_ID)
    request = b"ADJREQ1\0" + b"x" * 5000 + b"\0end\0"
    ours, theirs = os.pipe()
    try:
        os.write(theirs, request)
        os.close(theirs)
        argv = [RUNNER, "run", str(tmp_path / "step"), str(len(request)), str(zlib.crc32(request))]
        done = subprocess.run(argv, stdin=ours, capture_output=True, timeout=TIME_LIMIT, check=False)
        assert (done.returncode, done.stdout) == (0, b"exists " + RUN_ID + b"\n")
        assert os.read(ours, 1) == b""
    finally:
        os.close(ours)


def test_a_request_that_is_cut_changes_nothing_of_a_step_that_exists(tmp_path: Path) -> None:
    """It is told as existing all the same."""
    (tmp_path / "step").mkdir(mode=0o700)
    (tmp_path / "step" / "run-id").write_bytes(RUN_ID)
    argv = [RUNNER, "run", str(tmp_path / "step"), "1000", "1"]
    done = subprocess.run(argv, input=b"cut", capture_output=True, timeout=TIME_LIMIT, check=False)
    assert (done.returncode, done.stdout) == (0, b"exists " + RUN_ID + b"\n")
    assert not (tmp_path / "step" / "request").exists()
