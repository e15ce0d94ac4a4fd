"""Calls of the compiled `adjutant-runner` as a process of this machine, its frames decoded as the daemon does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from koji_adjutant.container import static_tools
from koji_adjutant.container.pod_calls import ExecRequest, encode_exec, exec_argv
from koji_adjutant.container.pod_frames import Frame, FrameDecoder, StreamEnd

RUNNER = str(static_tools._BUILT)
TIME_LIMIT = 60

needs_runner = pytest.mark.skipif(not Path(RUNNER).exists(), reason="adjutant-runner is not compiled: run `make setup`")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="not here: the runner is started by root")


@dataclass(frozen=True)
class Called:
    """A call that has ended."""

    out: bytes
    err: bytes
    end: StreamEnd
    code: int


def request(*argv: str, **options: Any) -> ExecRequest:
    """A command with the usual programs; its caller's stdin may end."""
    return ExecRequest(argv, **{"env": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, "hangup": False, **options})


def execute(*argv: str, stdin: bytes = b"", **options: Any) -> Called:
    """Run a command to its end by `exec`."""
    encoded = encode_exec(request(*argv, stdin_size=len(stdin), **options))
    return call(exec_argv(RUNNER, encoded), encoded + stdin)


def call(argv: list[str], stdin: bytes = b"", **options: Any) -> Called:
    """Run the runner to its end."""
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=TIME_LIMIT, check=False, **options)
    out, err, end = decode([done.stdout])
    return Called(out, err, end, done.returncode)


def decode(chunks: Iterable[bytes]) -> tuple[bytes, bytes, StreamEnd]:
    """Both streams and the end."""
    decoder = FrameDecoder("a call")
    frames: list[Frame] = []
    for chunk in chunks:
        frames += decoder.feed(chunk)
    out, err = (b"".join(frame.data for frame in frames if frame.kind == kind) for kind in (b"O", b"E"))
    return out, err, decoder.finish()


@contextmanager
def started(encoded: bytes, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A running `exec` that has its request; killed at the end if it still runs."""
    argv = exec_argv(RUNNER, encoded)
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(encoded)
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait(TIME_LIMIT)
        for stream in (process.stdin, process.stdout):
            stream.close()


def read_until_frame(process: subprocess.Popen[bytes], decoder: FrameDecoder) -> list[Frame]:
    """Wait for the first frames of output."""
    assert process.stdout is not None
    while not (frames := decoder.feed(os.read(process.stdout.fileno(), 65536))):
        pass
    return frames
