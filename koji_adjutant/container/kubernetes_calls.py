"""Calls of `adjutant-runner` in a container of a pod: frames in, frames out, one end that is known or said to be unknown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import websocket

from koji_adjutant.container.interface import ContainerHandle, ContainerState, ContainerStatus
from koji_adjutant.container.kubernetes_api import KubernetesApi
from koji_adjutant.container.kubernetes_labels import PodRef
from koji_adjutant.container.kubernetes_refusal import refusal
from koji_adjutant.container.kubernetes_stream import ERROR, STDERR, STDOUT, ExecStream, exec_word
from koji_adjutant.container.pod_frames import Frame, FrameDecoder, StreamEnd
from koji_adjutant.errors import ContainerError, ContainerNotFound, ExecError

MARGIN = 30.0
"""Seconds beyond a call's own limit that its answer may take."""
_INLINE = 1 << 16
"""Input up to this size is sent before anything is read; more by a thread of its own, or both sides could wait."""
_SAID = 4096
_KILLED = 137
"""What an exec ends with whose container or pod is taken away."""


@dataclass(frozen=True)
class Call:
    """One call. `what` names it for people (`` `make` in NAME ``); `timeout` seconds until its last frame is there."""

    handle: ContainerHandle
    argv: list[str]
    what: str
    timeout: float


class PodCalls:
    """Makes calls. `look` tells the state of a container, to explain what a stream does not."""

    def __init__(self, api: KubernetesApi, look: Callable[[ContainerHandle], ContainerState]) -> None:
        self._api = api
        self._look = look

    def run(self, call: Call, stdin: Iterator[bytes], take: Callable[[Frame], object]) -> StreamEnd:
        """Send `stdin`, hand over each frame of output as it comes; return the last frame.

        Raises:
            ContainerNotFound: there is no such container.
            ExecError: `not-started`: the container does not run, or not our program; `unknown-end`: the stream broke.
            ContainerTimeout, RuntimeUnavailable. What `stdin` and `take` raise.
        """
        stream = self._open(call)
        sender = _Sender(stream, stdin)
        try:
            sender.start()
            return self._receive(call, stream, sender, take)
        finally:
            stream.close()
            sender.join()

    def _open(self, call: Call) -> ExecStream:
        try:
            return ExecStream(self._api, PodRef.parse(call.handle), call.argv)
        except websocket.WebSocketBadStatusException as error:
            raise self._refused(call, error.status_code, error.resp_body or b"") from error

    def _receive(self, call: Call, stream: ExecStream, sender: _Sender, take: Callable[[Frame], object]) -> StreamEnd:
        decoder = FrameDecoder(call.what)
        said, status, came = bytearray(), bytearray(), False
        deadline = time.monotonic() + call.timeout + MARGIN
        while decoder.end is None:
            message = stream.receive(deadline, call.what)
            if message is None:
                break
            channel, data = message
            if channel == STDOUT and not (came or data.startswith(b"A")):
                said += data[:_SAID]  # the runtime's own words come here when it cannot start a program
            elif channel == STDOUT:
                came = True
                for frame in decoder.feed(data):
                    take(frame)
            elif channel in {STDERR, ERROR}:
                kept = said if channel == STDERR else status
                kept += data[: _SAID - len(kept)]
        sender.check()
        if decoder.end is None and not came:
            raise self._no_answer(call, bytes(said), bytes(status))
        return decoder.finish()

    def _refused(self, call: Call, status: int, body: bytes) -> ContainerError:
        text = body if isinstance(body, bytes) else str(body).encode()
        state = self._look(call.handle)
        if state.status is ContainerStatus.MISSING or (status == 404 and state.status is ContainerStatus.RUNNING):
            return not_found(call.handle)
        if status in {404, 500} or (status == 400 and state.status is not ContainerStatus.RUNNING):
            return _not_started(call, f"container is {state.status}: {text[:_SAID].decode('utf-8', 'replace')}")
        return refusal("GET", f"exec in {call.handle.name}", self._api.host, status, text)

    def _no_answer(self, call: Call, said: bytes, status: bytes) -> ContainerError:
        state = self._look(call.handle)
        if state.status is ContainerStatus.MISSING:
            return not_found(call.handle)
        word = exec_word(status)
        details = f"{word.message} {said.decode('utf-8', 'replace').strip()}".strip()
        if state.status is not ContainerStatus.RUNNING or (status and word.exit_code not in {0, _KILLED}):
            return _not_started(call, f"container is {state.status}: {details}")
        return ExecError(
            f"the end of {call.what} is unknown: its stream broke",
            details=details,
            reason="unknown-end",
            retryable=True,
        )


def not_found(handle: ContainerHandle) -> ContainerNotFound:
    """The error for a container that is not there."""
    return ContainerNotFound(f"there is no container {handle.name} ({handle.id})")


def _not_started(call: Call, details: str) -> ExecError:
    return ExecError(f"{call.what} could not be started", details=details, reason="not-started")


class _Sender:
    """Sends the input of a call: at once what is little, by a thread what is more."""

    def __init__(self, stream: ExecStream, chunks: Iterator[bytes]) -> None:
        self._stream = stream
        self._chunks = chunks
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def start(self) -> None:
        """Begin. Raises what the input raises, if it comes at once."""
        first = bytearray()
        for chunk in self._chunks:
            first += chunk
            if len(first) > _INLINE:
                self._thread = threading.Thread(target=self._run, args=(bytes(first),), name="pod-input", daemon=True)
                self._thread.start()
                return
        self._send(bytes(first))

    def check(self) -> None:
        """Raise what the input raised: then the stream was broken by us."""
        if self._error is not None:
            raise self._error

    def join(self) -> None:
        """Wait for the thread; the stream is closed, so that it ends."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, first: bytes) -> None:
        if not self._send(first):
            return
        try:
            for chunk in self._chunks:
                if not self._send(chunk):
                    return
        except Exception as error:  # noqa: BLE001 - a thread's top: handed to the caller
            self._error = error
            self._stream.close()

    def _send(self, data: bytes) -> bool:
        """False: the connection is gone; the reader finds out what that means."""
        try:
            self._stream.send(data)
        except (OSError, websocket.WebSocketException):
            return False
        return True
