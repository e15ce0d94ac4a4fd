"""One command in a running container: created, started, its output read to the end, inspected. Never run twice.

The stream is not believed: the exit code comes from the inspection of the exec session, and a stream that ends while the
session runs, or inside a frame, is `unknown-end`. A silent stream is checked against the container's state, so that the
removal of the container under it is noticed.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from koji_adjutant.container.interface import ContainerHandle, ContainerRunResult, Write
from koji_adjutant.container.output_cap import Collector
from koji_adjutant.container.podman_client import PodmanApi, PodmanRefusal
from koji_adjutant.container.podman_processes import EXEC_MARK, kill_marked, kill_monitors, kill_process
from koji_adjutant.container.podman_stream import CHUNK, STDERR, FrameReader, StdinFeeder, broken, connect, upgrade
from koji_adjutant.errors import ContainerError, ContainerNotFound, ContainerTimeout, ExecError

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
SILENCE = 10.0
"""Seconds without output after which the container's state is asked."""
SETTLE = 60.0
"""Seconds the session may take to be recorded as ended after its stream has: Podman waits for the disk to do it."""
KILL_SETTLE = 10.0
"""The same after the command was killed, when nobody wants its result any more."""
_NOT_STARTED = re.compile(rb"OCI (runtime|permission)|container process")
_ERROR = b"Error: "

log = structlog.get_logger(__name__)


class Output(Collector):
    """Where a command's output goes. Podman's own word on a failed start comes on stderr: it is held back until judged."""

    def __init__(self, stdout: Write | None, stderr: Write | None) -> None:
        super().__init__(stdout, stderr)
        self.held = bytearray()
        self.started = False

    def take(self, stream: int, data: bytes) -> None:
        """Pass the next bytes of a frame on."""
        if not self.started and stream == STDERR and data.startswith(_ERROR) and len(self.held) < CHUNK:
            self.held += data
            return
        self.release()
        (self.take_stderr if stream == STDERR else self.take_stdout)(data)

    def release(self) -> None:
        """What was held back is the command's own after all."""
        self.started = True
        if self.held:
            held, self.held = bytes(self.held), bytearray()
            self.take_stderr(held)


@dataclass(frozen=True)
class Command:
    """What to run."""

    argv: Sequence[str]
    stdin: bytes
    env: Mapping[str, str]
    workdir: str
    user: str
    timeout: float


class PodmanExec:
    """Runs commands; `running` tells whether a container still runs (asked when a stream is silent)."""

    def __init__(
        self, api: PodmanApi, running: Callable[[ContainerHandle], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._running = running
        self._clock = clock

    def run(self, handle: ContainerHandle, command: Command, output: Output) -> ContainerRunResult:
        """Run `command` to its end; see `ContainerManager.exec`."""
        mark = uuid.uuid4().hex
        deadline = self._clock() + command.timeout
        session = self._create(handle, command, mark)
        ended = False
        try:
            code = self._finish(handle, session, command, output, deadline)
            ended = True
        finally:
            if not ended:
                self._kill(handle, session, mark)
            kill_monitors(session)
        if code in {126, 127} and not output.started and _NOT_STARTED.search(output.held):
            raise self._not_started(handle, command, output.held.decode("utf-8", "replace"))
        output.release()
        return output.result(code)

    def _create(self, handle: ContainerHandle, command: Command, mark: str) -> str:
        env = {"PATH": PATH, EXEC_MARK: mark, **command.env}
        body = {
            "AttachStdin": bool(command.stdin),
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": False,
            "Cmd": list(command.argv),
            "Env": [f"{name}={value}" for name, value in env.items()],
            "User": command.user,
            "WorkingDir": command.workdir,
        }
        try:
            return str(self._api.request("POST", f"/containers/{handle.id}/exec", body=body).json()["Id"])
        except PodmanRefusal as error:
            if error.status == 404:
                raise ContainerNotFound(f"there is no container {handle.name} ({handle.id[:12]})") from error
            raise self._not_started(handle, command, error.message) from error

    def _finish(self, handle: ContainerHandle, session: str, command: Command, output: Output, deadline: float) -> int:
        with connect(self._api.socket_path, self._api.timeout) as stream:
            try:
                rest = upgrade(stream, self._api.path(f"/exec/{session}/start"), {"Detach": False, "Tty": False})
            except PodmanRefusal as error:
                self._check_there(handle, error)
                raise self._not_started(handle, command, error.message) from error
            self._pump(handle, stream, rest, command, output, deadline)
        return self._exit_code(handle, session, command)

    def _pump(
        self,
        handle: ContainerHandle,
        stream: socket.socket,
        rest: bytes,
        command: Command,
        output: Output,
        deadline: float,
    ) -> None:
        frames = FrameReader()
        feeder = StdinFeeder(stream, command.stdin)
        heard = self._clock()
        with selectors.DefaultSelector() as selector:
            selector.register(stream, feeder.events)
            stream.setblocking(False)
            data: bytes | None = rest or None
            while data != b"":
                for kind, piece in frames.feed(data or b""):
                    output.take(kind, piece)
                heard = self._clock() if data else self._heard(handle, heard)
                left = deadline - self._clock()
                if left <= 0:
                    raise _timeout(handle, command)
                data = self._next(selector, stream, feeder, min(left, SILENCE))
        if not frames.at_boundary:
            self._check_there(handle, None)
            raise broken(f"`{command.argv[0]}` in {handle.name}")

    def _next(
        self, selector: selectors.BaseSelector, stream: socket.socket, feeder: StdinFeeder, timeout: float
    ) -> bytes | None:
        """The next bytes, b"" at the end, None when nothing came."""
        events = selector.select(timeout)
        try:
            if events and events[0][1] & selectors.EVENT_WRITE:
                feeder.feed()
                selector.modify(stream, feeder.events)
            if events and events[0][1] & selectors.EVENT_READ:
                return stream.recv(CHUNK)
        except BlockingIOError:
            return None
        except ConnectionError:
            return b""
        return None

    def _heard(self, handle: ContainerHandle, heard: float) -> float:
        now = self._clock()
        if now - heard < SILENCE:
            return heard
        self._check_there(handle, None)
        return now

    def _check_there(self, handle: ContainerHandle, cause: BaseException | None) -> None:
        if not self._running(handle):
            raise broken(f"a command in {handle.name}, which does not run any more,") from cause

    def _exit_code(self, handle: ContainerHandle, session: str, command: Command) -> int:
        """The code of a command that has ended: also where its record comes after the command's own time."""
        heard = self._clock()
        settled = heard + SETTLE
        pause = 0.005
        while True:
            try:
                found = self._api.get(f"/exec/{session}/json")
            except PodmanRefusal as error:
                self._check_there(handle, error)
                raise broken(f"`{command.argv[0]}` in {handle.name}") from error
            if not found["Running"]:
                return self._known(handle, int(found["ExitCode"]), command)
            if self._clock() > settled:
                raise broken(f"`{command.argv[0]}` in {handle.name}")
            heard = self._heard(handle, heard)
            time.sleep(pause)
            pause = min(2 * pause, 0.2)

    def _known(self, handle: ContainerHandle, code: int, command: Command) -> int:
        if code < 0:
            raise broken(f"`{command.argv[0]}` in {handle.name}")
        if code > 128:
            # Killed by a signal: its own end, or that of the container?
            self._check_there(handle, None)
        return code

    def _kill(self, handle: ContainerHandle, session: str, mark: str) -> None:
        """End the command and whatever carries its mark; what cannot be reached is logged, the error on its way wins.

        Until Podman has seen its end: one that was only about to start has no process yet.
        """
        given_up = self._clock() + KILL_SETTLE
        ended = False
        while True:
            left = kill_marked(mark)
            try:
                found = self._api.get(f"/exec/{session}/json", timeout=20)
                ended = found.get("CanRemove") or not self._running(handle)
            except ContainerError:
                # The container and its sessions may be gone, which ends the command as well.
                break
            if ended or self._clock() > given_up:
                # It may have begun after the first look, and left children.
                left = kill_marked(mark)
                break
            if found["Running"] and found["Pid"]:
                kill_process(found["Pid"])
            time.sleep(0.05)
        log.info("exec.killed", session=session[:12], unreachable=left, ended=ended)

    def _not_started(self, handle: ContainerHandle, command: Command, details: str) -> ContainerError:
        return ExecError(
            f"`{command.argv[0]}` could not be started in {handle.name}", details=details.strip(), reason="not-started"
        )


def _timeout(handle: ContainerHandle, command: Command) -> ContainerTimeout:
    return ContainerTimeout(
        f"`{command.argv[0]}` in {handle.name} did not end within {command.timeout:g} s and was killed"
    )
