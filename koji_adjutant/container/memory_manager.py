"""`MemoryManager`: containers as objects, programs as Python callables. For unit tests; runs no process, touches no disk.

It keeps the promises of `container.interface` (tests/conformance runs on it) and adds what tests need: `program` to say
what a command does, `add_image`, and hooks that let a container die, run out of memory or vanish, or the whole runtime
go away.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from koji_adjutant.container.interface import (
    LABEL_MANAGED,
    ContainerHandle,
    ContainerInfo,
    ContainerRunResult,
    ContainerSpec,
    ContainerState,
    ContainerStatus,
    ImageInfo,
    MountAccess,
    PullPolicy,
    RuntimeHealth,
    Write,
)
from koji_adjutant.container.memory_container import MemoryContainer, MemoryProcess
from koji_adjutant.container.memory_programs import Invocation
from koji_adjutant.container.memory_storage import MemoryStorage
from koji_adjutant.container.output_cap import Collector
from koji_adjutant.errors import (
    ContainerError,
    ContainerLost,
    ContainerNotFound,
    ContainerTimeout,
    ExecError,
    ImageError,
    OutOfMemory,
)

RUNTIME = "memory"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
FIRST_ID, ID_STEP = 200_000, 65_536
_MISSING = ContainerState(ContainerStatus.MISSING, reason="deleted")


class MemoryManager(MemoryStorage):
    """`ContainerManager` and `SupportsCommit` without a runtime."""

    def ensure_image_available(self, image: str, policy: PullPolicy = PullPolicy.MISSING) -> ImageInfo:
        self._answer()
        return self.images.ensure(image, policy)

    def create(self, spec: ContainerSpec) -> ContainerHandle:
        self._answer()
        labels = {LABEL_MANAGED: "true", **spec.labels}
        with self._changed:
            for found in self._containers.values():
                if found.handle.name == spec.name:
                    return _same(found, labels)
            base = self._running(spec.companion_of) if spec.companion_of is not None else None
            image = self.images.find(spec.image)
            if image is None:
                raise ImageError(
                    f"image {spec.image} is not in the store", resolution="Pull it first.", reason="missing"
                )
            self._made += 1
            handle = ContainerHandle(f"{self._made:064x}", spec.name, RUNTIME)
            self._containers[handle.id] = MemoryContainer(
                handle,
                spec,
                labels,
                self._mount(spec, image.root.copy(), base),
                self._clock(),
                image.info.id,
                base.host_id if base else FIRST_ID + ID_STEP * self._made,
                self._changed,
                base=base,
            )
            return handle

    def start(self, handle: ContainerHandle, timeout: float = 60.0) -> None:  # noqa: ARG002 - nothing to wait for
        with self._changed:
            container = self._get(handle)
            if container.status is ContainerStatus.RUNNING:
                return
            if container.status is ContainerStatus.EXITED:
                raise ContainerLost(f"{handle.name} has ended already with {container.exit_code}", reason="exited")
            command = list(container.spec.command) or ["sleep", "infinity"]
            program = self._programs.get(posixpath.basename(command[0]))
            if program is None:
                raise ContainerError(f"{handle.name} cannot be started", details=f"no {command[0]}", reason="start")
            container.status = ContainerStatus.RUNNING
            first = self._invocation(container, command, container.spec.env, container.spec.workdir, "0:0", b"")
            first.stdout = lambda data: container.log.append((1, data))
            first.stderr = lambda data: container.log.append((2, data))
            container.run(program, first, lambda process: container.end(process.exit_code or 0))

    def exec(
        self,
        handle: ContainerHandle,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        workdir: str = "/",
        user: str = "0:0",
        stdout: Write | None = None,
        stderr: Write | None = None,
        timeout: float = 60.0,
    ) -> ContainerRunResult:
        container = self._get(handle)
        program = self._programs.get(posixpath.basename(argv[0]))
        if container.status is not ContainerStatus.RUNNING or program is None:
            why = "no such program" if program is None else f"the container is {container.status}"
            raise ExecError(f"`{argv[0]}` could not be started in {handle.name}", details=why, reason="not-started")
        output = Collector(stdout, stderr)
        whole = {**container.spec.env, "PATH": PATH, **(env or {})}
        invocation = self._invocation(container, argv, whole, workdir, user, stdin)
        invocation.stdout, invocation.stderr = output.take_stdout, output.take_stderr
        process = container.run(program, invocation, lambda _: None)
        self._await_end(container, process, argv[0], timeout)
        output.check()
        return output.result(process.exit_code or 0)

    def stream_logs(self, handle: ContainerHandle, write: Write, *, max_bytes: int = 1 << 30) -> None:
        left = max_bytes
        for _, data in list(self._get(handle).log):
            write(data[:left])
            left -= len(data[:left])

    def wait(self, handle: ContainerHandle, timeout: float) -> ContainerState:
        ended = {ContainerStatus.EXITED, ContainerStatus.MISSING}
        with self._changed:
            if not self._changed.wait_for(lambda: self.state(handle).status in ended, timeout):
                raise ContainerTimeout(f"{handle.name} did not end within {timeout:g} s")
            return self.state(handle)

    def state(self, handle: ContainerHandle) -> ContainerState:
        self._answer()
        with self._changed:
            found = self._containers.get(handle.id)
            return found.state() if found is not None else _MISSING

    def remove(self, handle: ContainerHandle) -> None:
        self._answer()
        with self._changed:
            for companion in [each for each in self._containers.values() if each.base and each.base.handle == handle]:
                self.vanish(companion.handle)
            self.vanish(handle)

    def run(self, spec: ContainerSpec, timeout: float) -> ContainerRunResult:
        handle = self.create(spec)
        try:
            self.start(handle, timeout)
            state = self.wait(handle, timeout)
            if state.exit_code is None:
                raise ContainerLost(f"{spec.name} disappeared while it ran", reason="deleted")
            if state.oom_killed:
                raise OutOfMemory(
                    f"{spec.name} ran out of memory", details=f"its limit is {spec.limits.memory_bytes} bytes"
                )
            output = Collector(None, None)
            for stream, data in self._get(handle).log:
                (output.take_stdout if stream == 1 else output.take_stderr)(data)
            return output.result(state.exit_code)
        finally:
            self.vanish(handle)

    def list_managed(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        self._answer()
        with self._changed:
            found = [each for each in self._containers.values() if labels.items() <= each.labels.items()]
            return [ContainerInfo(each.handle, dict(each.labels), each.status, each.created_at) for each in found]

    def mount_access(self) -> MountAccess:
        return MountAccess.COPIED

    def health_check(self) -> RuntimeHealth:
        self._answer()
        return RuntimeHealth(RUNTIME, "1", rootless=False, capabilities=self._capabilities)

    def close(self) -> None:
        """Nothing to give back."""

    def _running(self, handle: ContainerHandle) -> MemoryContainer:
        found = self._get(handle)
        if found.status is not ContainerStatus.RUNNING:
            raise ContainerLost(f"{handle.name} does not run: a companion cannot join it", reason="exited")
        return found

    def _invocation(
        self,
        container: MemoryContainer,
        argv: Sequence[str],
        env: Mapping[str, str],
        workdir: str,
        user: str,
        stdin: bytes,
    ) -> Invocation:
        return Invocation(argv, env, workdir, user, container.files, stdin, len, len, container.spec)

    def _await_end(self, container: MemoryContainer, process: MemoryProcess, program: str, timeout: float) -> None:
        name = f"`{program}` in {container.handle.name}"

        def over() -> bool:
            return process.done.is_set() or container.status is not ContainerStatus.RUNNING

        with self._changed:
            ended = self._changed.wait_for(over, timeout)
            gone = container.handle.id not in self._containers
            lost = container.status is not ContainerStatus.RUNNING
        if not ended:
            process.kill()
            raise ContainerTimeout(f"{name} did not end within {timeout:g} s and was killed")
        if gone:
            raise ContainerNotFound(f"there is no container {container.handle.name} any more")
        if lost:
            raise ExecError(
                f"the stream of {name} broke", details="the container ended", reason="unknown-end", retryable=True
            )


def _same(found: MemoryContainer, labels: Mapping[str, str]) -> ContainerHandle:
    if found.labels != labels:
        raise ContainerError(
            f"there is another container of the name {found.handle.name}",
            details=f"its labels are {found.labels}",
            reason="conflict",
        )
    return found.handle
