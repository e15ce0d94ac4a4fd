"""Runs `plugin_child` for the daemon: one process for one request, its words in the daemon's log, its end with ours."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import koji
import structlog

CHILD = "koji_adjutant.tasks.plugin_child"
POLL = 0.25
"""Seconds until an interruption or a wake-up is noticed."""
WAKE_EVERY = 60.0
TERM_SECONDS = 2.0
LINE_BYTES = 8192
REPLY_BYTES = 64 << 20

log = structlog.get_logger(__name__)


class PluginProcess:
    """One child process. Used by one thread."""

    def __init__(self, request: Mapping[str, Any], *, what: str) -> None:
        """Start it; `what` names the work in logs and errors. What the request holds is seen by nobody else."""
        self._what = what
        self._reply = b""
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=_environment(),
            start_new_session=True,
        )
        self._readers = [
            _started(self._read_reply, self._process.stdout),
            _started(self._read_log, self._process.stderr),
        ]
        self._send(request)

    def end(
        self,
        interrupt: threading.Event | None = None,
        interrupted: Callable[[], BaseException] | None = None,
        wake: threading.Event | None = None,
    ) -> dict[str, Any]:
        """Wait for the reply; the process and its children are gone then.

        `wake`: passed on to koji's `wait` in the child. Setting `interrupt` kills the process and raises what `interrupted`
        returns.

        Raises:
            koji.GenericError: it ended without a reply.
        """
        woken = time.monotonic()
        try:
            while self._running():
                if interrupt is not None and interrupt.is_set():
                    raise (
                        interrupted() if interrupted is not None else koji.GenericError(f"{self._what} was interrupted")
                    )
                if wake is not None and (wake.is_set() or time.monotonic() - woken > WAKE_EVERY):
                    wake.clear()
                    woken = time.monotonic()
                    self._wake()
        finally:
            self._kill()
        for reader in self._readers:
            reader.join(TERM_SECONDS)
        return self._parsed()

    def _running(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(POLL)
            return False
        return True

    def _send(self, request: Mapping[str, Any]) -> None:
        data = json.dumps(request).encode()
        with contextlib.suppress(BrokenPipeError):
            self._write(f"{len(data):08x}".encode() + data)

    def _wake(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._write(b"w")

    def _write(self, data: bytes) -> None:
        stream = self._process.stdin
        if stream is not None:
            stream.write(data)
            stream.flush()

    def _kill(self) -> None:
        """End the process and what it has left behind in its process group."""
        pid = self._process.pid
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(TERM_SECONDS)
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def _parsed(self) -> dict[str, Any]:
        try:
            reply: dict[str, Any] = json.loads(self._reply)
        except ValueError as error:
            code = self._process.returncode
            how = f"was killed by signal {-code}" if code and code < 0 else f"ended with status {code}"
            raise koji.GenericError(f"the process of {self._what} {how} and left no result") from error
        return reply

    def _read_reply(self, stream: IO[bytes]) -> None:
        with stream:
            self._reply = stream.read(REPLY_BYTES)

    def _read_log(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(LINE_BYTES):
                log.info("plugin.said", of=self._what, text=line.decode("utf-8", "replace").rstrip())


def _environment() -> dict[str, str]:
    ours = str(Path(__file__).parents[2])
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {**os.environ, **_git_settings(), "PYTHONPATH": os.pathsep.join([*paths, ours])}


def _git_settings() -> dict[str, str]:
    """A plugin's git takes no directory of a checkout for a repository unless it is told to, or has `.git`."""
    given = os.environ.get("GIT_CONFIG_COUNT", "")
    count = int(given) if given.isdecimal() else 0
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": "safe.bareRepository",
        f"GIT_CONFIG_VALUE_{count}": "explicit",
    }


def _started(target: Callable[[IO[bytes]], None], stream: IO[bytes] | None) -> threading.Thread:
    thread = threading.Thread(target=target, args=(stream,), name="plugin-reader", daemon=True)
    thread.start()
    return thread
