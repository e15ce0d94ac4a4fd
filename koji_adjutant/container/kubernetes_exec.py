"""Commands in a container of a pod (`ContainerManager.exec`), by `adjutant-runner exec`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from koji_adjutant.container.interface import ContainerHandle, ContainerRunResult
from koji_adjutant.container.kubernetes_calls import Call, PodCalls
from koji_adjutant.container.output_cap import Collector
from koji_adjutant.container.pod_calls import ExecRequest, encode_exec, exec_argv, exit_code
from koji_adjutant.container.pod_frames import Frame
from koji_adjutant.container.step_reader import RUNNER

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_PIECE = 1 << 18
_DETACHING = ((RUNNER, "run"), (RUNNER, "relay-start"))
"""Subcommands of our own program that leave something running behind them."""


@dataclass(frozen=True)
class Command:
    """What to run; see `ContainerManager.exec`."""

    argv: Sequence[str]
    stdin: bytes
    env: Mapping[str, str]
    workdir: str
    user: str
    timeout: float


def run_command(calls: PodCalls, handle: ContainerHandle, command: Command, output: Collector) -> ContainerRunResult:
    """Run `command` to its end; see `ContainerManager.exec`."""
    uid, _, gid = command.user.partition(":")
    request = encode_exec(
        ExecRequest(
            argv=command.argv,
            env={"PATH": PATH, **command.env},
            workdir=command.workdir,
            uid=int(uid),
            gid=int(gid or uid),
            timeout=command.timeout,
            stdin_size=len(command.stdin),
            leave=tuple(command.argv[:2]) in _DETACHING,
        )
    )
    what = f"`{command.argv[0]}` in {handle.name}"
    call = Call(handle, exec_argv(RUNNER, request), what, command.timeout)

    def take(frame: Frame) -> None:
        (output.take_stderr if frame.kind == b"E" else output.take_stdout)(frame.data)

    end = calls.run(call, _input(request, command.stdin), take)
    return output.result(exit_code(end, what, command.timeout))


def _input(request: bytes, stdin: bytes) -> Iterator[bytes]:
    yield request
    view = memoryview(stdin)
    for start in range(0, len(stdin), _PIECE):
        yield bytes(view[start : start + _PIECE])
