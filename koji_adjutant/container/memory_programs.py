"""Programs of the in-memory runtime: Python callables that stand for what a container would execute."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from koji_adjutant.container.interface import ContainerSpec, Write
from koji_adjutant.container.memory_files import MemoryFiles

KILLED = 137
SHELL_WITHOUT_SCRIPT = 2


@dataclass
class Invocation:
    """One run of a program, and the process it is."""

    argv: Sequence[str]
    env: Mapping[str, str]
    workdir: str
    user: str
    files: MemoryFiles
    stdin: bytes
    stdout: Write
    stderr: Write
    spec: ContainerSpec
    """Of the container it runs in: limits, mounts."""
    killed: threading.Event = field(default_factory=threading.Event)
    """Set when the process is killed: programs that wait, wait on it."""
    fork: Callable[[Callable[[Invocation], int]], None] = lambda _: None
    """Start a child that outlives this program, as a double fork does."""
    allocate: Callable[[int], None] = lambda _: None
    """Use so many bytes of memory; beyond the container's limit the process is killed."""
    end_container: Callable[[], None] = lambda: None
    """Kill PID 1 and all with it."""
    processes: Callable[[], int] = lambda: 0
    """How many processes but PID 1 the container has."""


Program = Callable[[Invocation], int]


class Killed(Exception):
    """Raised in a program whose process has been killed while it allocated or wrote."""


def built_in() -> dict[str, Program]:
    """The programs every container has."""
    return {"sleep": sleep, "cat": cat, "true": lambda _: 0, "false": lambda _: 1, "env": env, "busybox": busybox}


def sleep(process: Invocation) -> int:
    """Wait so many seconds, or until killed."""
    seconds = process.argv[-1]
    limit = None if seconds in {"infinity", "inf"} else float(seconds)
    return KILLED if process.killed.wait(limit) else 0


def cat(process: Invocation) -> int:
    """Write files, or stdin, to stdout."""
    for path in process.argv[1:]:
        process.stdout(process.files.read(path))
    if len(process.argv) == 1:
        process.stdout(process.stdin)
    return 0


def env(process: Invocation) -> int:
    """Write the environment, each entry ended by a newline."""
    for name, value in process.env.items():
        process.stdout(f"{name}={value}\n".encode())
    return 0


def busybox(process: Invocation) -> int:
    """Run the applet that the first argument names."""
    process.argv = process.argv[1:]
    applet = built_in().get(process.argv[0] if process.argv else "")
    if applet is None or applet is busybox:
        return 127
    return applet(process)
