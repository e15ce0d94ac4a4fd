"""The daemon's end of the control socket: a thread that accepts, a thread for each connection, none of it in builds' way."""

from __future__ import annotations

import os
import select
import socket
import stat
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from koji_adjutant.control.faults import failure_of
from koji_adjutant.control.peer import Peer, peer_of
from koji_adjutant.control.protocol import (
    ANSWER_BYTES,
    REQUEST_BYTES,
    ControlError,
    Failure,
    Fault,
    Request,
    encode,
    failure_message,
    parse_request,
    read_line,
)

log = structlog.get_logger(__name__)

REQUEST_SECONDS = 10.0
SEND_SECONDS = 60.0
"""How long a client may leave what it is sent unread (a stopped `log -f`); it can ask again from where it was."""
STOP_SECONDS = 2.0
PLACES = 16
"""Connections at once of those who may only ask, and of those who may do anything: neither keeps the other out."""


@dataclass
class Call:
    """One request while it is answered, in the thread of its connection."""

    peer: Peer
    request: Request
    connection: socket.socket
    stopping: threading.Event

    def send(self, data: Any) -> None:
        """Send a piece of the answer. Raises OSError when the client is gone or does not read."""
        self.connection.sendall(encode({"data": data}))

    def pause(self, seconds: float) -> None:
        """Wait, unless the client hangs up or the daemon stops.

        Raises:
            ConnectionError: the client is gone.
            ControlError: the daemon stops.
        """
        poll = select.poll()
        poll.register(self.connection, select.POLLRDHUP)
        if poll.poll(seconds * 1000):
            raise ConnectionAbortedError("the client has hung up")
        if self.stopping.is_set():
            raise ControlError("the daemon stops", fault=Fault.AWAY)


Answer = Callable[[Call], Any]
"""Does what a call asks for and returns the result; raises what keeps it from being done."""


class ControlServer:
    """Serves `answer` at `path`. `start` and `stop` are the daemon's."""

    def __init__(self, path: Path, answer: Answer, *, gid: int | None = None) -> None:
        """`gid`: the group that may connect as well."""
        self._path = path
        self._answer = answer
        self._gid = gid
        self._stopping = threading.Event()
        self._listener: socket.socket | None = None
        self._inode = 0
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        """Around `_threads`: all in it are started."""
        self._places = {privileged: threading.BoundedSemaphore(PLACES) for privileged in (True, False)}

    def start(self) -> bool:
        """Listen and serve in the background; False, logged, if the socket cannot be had: builds go on all the same."""
        try:
            self._listener = self._listen()
        except OSError as error:
            log.warning("control.not_served", path=str(self._path), error=str(error))
            return False
        self._thread(self._accept, "control")
        log.info("control.served", path=str(self._path))
        return True

    def stop(self) -> None:
        """Take no more connections and end those that are there; safe to repeat."""
        self._stopping.set()
        if self._listener is None:
            return
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(STOP_SECONDS)
        self._listener.close()
        with suppress(OSError):
            # A successor may have put its own there.
            if self._path.lstat().st_ino == self._inode:
                self._path.unlink()

    def _listen(self) -> socket.socket:
        """Make the socket under another name first: who finds it by its own finds it ready, with its modes."""
        if _answers(self._path):
            log.warning("control.taken_over", path=str(self._path), note="another daemon has served there")
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(os.fspath(fresh))
            fresh.chmod(0o600)
            if self._gid is not None:
                os.chown(fresh, -1, self._gid)
                fresh.chmod(0o660)
            listener.listen(64)
            self._inode = fresh.lstat().st_ino
            fresh.replace(self._path)
        except OSError:
            listener.close()
            fresh.unlink(missing_ok=True)
            raise
        return listener

    def _thread(self, act: Callable[..., None], name: str, *arguments: Any) -> None:
        def run() -> None:
            try:
                act(*arguments)
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name=name, daemon=True)
        with self._lock:
            thread.start()
            self._threads.add(thread)

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None and not self._stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError as error:
                if self._stopping.is_set():
                    return
                # Out of descriptors, most likely: the daemon's work comes first.
                log.warning("control.not_accepted", error=str(error))
                self._stopping.wait(1.0)
                continue
            self._admit(connection)

    def _admit(self, connection: socket.socket) -> None:
        try:
            peer = peer_of(connection)
            places = self._places[peer.privileged]
            if not places.acquire(blocking=False):
                connection.settimeout(0.1)
                _refuse(connection, Failure("too many connections at once", "", "Try again.", Fault.AWAY))
                connection.close()
                return
        except OSError:
            connection.close()
            return
        try:
            self._thread(self._serve, "control-connection", connection, peer, places)
        except RuntimeError:  # no more threads
            places.release()
            connection.close()

    def _serve(self, connection: socket.socket, peer: Peer, places: threading.BoundedSemaphore) -> None:
        try:
            with closing(connection):
                self._converse(connection, peer)
        except OSError as error:
            log.debug("control.client_gone", uid=peer.uid, pid=peer.pid, error=str(error))
        finally:
            places.release()

    def _converse(self, connection: socket.socket, peer: Peer) -> None:
        connection.settimeout(REQUEST_SECONDS)
        try:
            with connection.makefile("rb") as stream:
                line = read_line(stream, REQUEST_BYTES)
            if line is None:
                return
            connection.settimeout(SEND_SECONDS)
            call = Call(peer, parse_request(line), connection, self._stopping)
            answer = _last_message(call, self._answer(call))
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - top of the thread: the client hears of it, the log of what is our fault
            _refuse(connection, failure_of(error))
            return
        connection.sendall(answer)


def _last_message(call: Call, result: Any) -> bytes:
    answer = encode({"end": result})
    if len(answer) > ANSWER_BYTES:
        raise ControlError(f"the answer to `{call.request.command}` is too long: {len(answer)} bytes")
    return answer


def _refuse(connection: socket.socket, failure: Failure) -> None:
    connection.sendall(encode(failure_message(failure)))


def _answers(path: Path) -> bool:
    """Whether somebody listens at `path`."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            probe.connect(os.fspath(path))
    except OSError:
        return False
    return True
