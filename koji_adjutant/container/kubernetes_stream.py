"""The websocket of one exec: binary frames, the first byte of each says which stream it belongs to.

Protocols v5 and v4 differ in one thing: v5 can close the command's stdin (`end_input`). What we run in a pod says itself how
much input it takes (`pod_calls`), so that nothing depends on it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import websocket

from koji_adjutant.container.kubernetes_api import KubernetesApi, pods_path
from koji_adjutant.container.kubernetes_duplex import DuplexSocket
from koji_adjutant.container.kubernetes_labels import PodRef
from koji_adjutant.errors import ContainerTimeout

STDIN, STDOUT, STDERR, ERROR, CLOSE = 0, 1, 2, 3, 255
MAX_MESSAGE = 1 << 20
"""Bytes of one frame that we send: frames of tens of MiB close the connection."""


@dataclass(frozen=True)
class ExecWord:
    """What the server says at the end of an exec: the command's code, or why it could not be started or watched."""

    exit_code: int | None
    message: str


class ExecStream:
    """An exec of `argv` in a container of a pod. `send` may be called by one thread while another one receives.

    Raises:
        websocket.WebSocketBadStatusException: the server refuses the exec.
        RuntimeUnavailable: it does not answer.
    """

    def __init__(
        self, api: KubernetesApi, ref: PodRef, argv: list[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        query = [("container", ref.container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
        query += [("tty", "false"), *(("command", word) for word in argv)]
        self._clock = clock
        self._socket: Any = api.websocket(pods_path(ref.namespace, ref.pod, "exec"), query)
        self.protocol = str(self._socket.getsubprotocol() or "")
        # Kept here too: the websocket forgets its own when the other side ends.
        self._connection = DuplexSocket(self._socket.sock)
        self._socket.sock = self._connection

    def send(self, data: bytes) -> None:
        """Pass bytes to the command's stdin. Raises OSError or WebSocketException when the connection is gone."""
        for start in range(0, len(data), MAX_MESSAGE):
            self._socket.send(b"\0" + data[start : start + MAX_MESSAGE], websocket.ABNF.OPCODE_BINARY)

    def end_input(self) -> bool:
        """Close the command's stdin; False where the protocol cannot."""
        if not self.protocol.startswith("v5"):
            return False
        self._socket.send(bytes([CLOSE, STDIN]), websocket.ABNF.OPCODE_BINARY)
        return True

    def receive(self, deadline: float, what: str) -> tuple[int, bytes] | None:
        """The next bytes and their stream; None: the connection has ended, well or badly.

        Raises:
            ContainerTimeout: nothing came until `deadline`.
        """
        while True:
            left = deadline - self._clock()
            if left <= 0:
                raise ContainerTimeout(f"{what} did not answer in time")
            self._socket.settimeout(left)
            try:
                opcode, frame = self._socket.recv_data_frame(control_frame=True)
            except websocket.WebSocketTimeoutException:
                continue
            except (OSError, websocket.WebSocketException):
                return None
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return None
            if opcode in {websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT} and frame.data:
                return frame.data[0], bytes(frame.data[1:])

    def close(self) -> None:
        """Drop the connection at once: nothing is waited for."""
        self._connection.close()


def exec_word(status: bytes) -> ExecWord:
    """Read what came on the stream `ERROR`; nothing there is no success."""
    try:
        found: Any = json.loads(status)
    except ValueError:
        return ExecWord(None, status[:2000].decode("utf-8", "replace"))
    if not isinstance(found, dict):
        return ExecWord(None, str(found)[:2000])
    if found.get("status") == "Success":
        return ExecWord(0, "")
    message = str(found.get("message") or "")[:2000]
    causes = (found.get("details") or {}).get("causes") or []
    codes = [str(cause.get("message")) for cause in causes if cause.get("reason") == "ExitCode"]
    known = found.get("reason") == "NonZeroExitCode" and len(codes) == 1 and codes[0].isdigit()
    return ExecWord(int(codes[0]) if known else None, message)
