"""A container that lives for one command (`ContainerManager.run`).

The log of a pod mixes both streams and is rotated away, so the command is not the container's own program: that one waits,
and the command runs beside it with its streams apart.
"""

from __future__ import annotations

from dataclasses import replace

from koji_adjutant.container.interface import ContainerManager, ContainerRunResult, ContainerSpec, ContainerState
from koji_adjutant.container.step_reader import RUNNER, read_container_memory
from koji_adjutant.errors import ContainerError, ExecError, OutOfMemory

_KILLED = 137


def run_to_end(manager: ContainerManager, spec: ContainerSpec, timeout: float) -> ContainerRunResult:
    """See `ContainerManager.run`. The command must be given: the image's own is not known to us.

    Raises:
        ContainerError: `plan`: there is no command. OutOfMemory.
    """
    if not spec.command:
        raise ContainerError(f"{spec.name} has no command to run", reason="plan")
    handle = manager.create(replace(spec, command=(RUNNER, "pause")))
    try:
        manager.start(handle, timeout)
        try:
            result = manager.exec(handle, spec.command, env=spec.env, workdir=spec.workdir, timeout=timeout)
        except ExecError as error:
            if error.reason == "unknown-end" and manager.state(handle).oom_killed:
                raise _out_of_memory(spec, manager.state(handle)) from error
            raise
        if result.exit_code == _KILLED and read_container_memory(manager, handle).kills:
            raise _out_of_memory(spec, manager.state(handle))
        return result
    finally:
        manager.remove(handle)


def _out_of_memory(spec: ContainerSpec, state: ContainerState) -> OutOfMemory:
    return OutOfMemory(
        f"{spec.name} ran out of memory",
        details=f"its limit is {spec.limits.memory_bytes} bytes; the container is {state.status}",
    )
