"""`mock --rebuild` in a root: unpack, rewrite the source package, install BuildRequires, build (contract 10).

Walks through the pure loops of `buildrequires` with the commands of `commands`, each command a durable step. A failure is
raised in kojid's words, or as infrastructure where nothing of the spec has run (`verdicts`).
"""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from koji_adjutant.buildroot import commands, verdicts
from koji_adjutant.buildroot.buildrequires import Action, RequiresLoop, dynamic_loop, static_loop
from koji_adjutant.buildroot.contents import installed_pkgs_log, package_set
from koji_adjutant.buildroot.disk_use import full_disk
from koji_adjutant.buildroot.faults import RootFault
from koji_adjutant.buildroot.root import BUILD_LOG, ROOT_LOG, Root
from koji_adjutant.buildroot.satisfied import satisfied_command
from koji_adjutant.buildroot.verdicts import Phase, failure
from koji_adjutant.buildroot.wording import Operation
from koji_adjutant.container.steps import StepStatus

TAIL_BYTES = 64 << 10


class BuildLogs(Protocol):
    """The task's logs, as far as a build writes them itself."""

    def state(self, text: str) -> None:
        """Write a line of state.log, once."""

    def write(self, name: str, log: str, text: Callable[[], str]) -> None:
        """Append a text to `log`, once under `name`."""

    def tail(self, log: str, size: int) -> bytes:
        """Return the end of a log."""

    def remember(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what was recorded under `name`, in an earlier run of the task too, or record what `make` returns (JSON)."""


@dataclass(frozen=True)
class BuildRequest:
    """What to build. `srpm_name` is a file name; the file stands in the root's `originals` directory."""

    srpm_name: str
    arch: str
    """As kojid names it in its sentences."""
    memory_limit: int | None = None
    directory: Path | None = None
    """The task's own on this machine, where the build writes."""
    minspace: int = 0
    """Bytes that were free there when the task was taken."""


class RpmBuild:
    """One build in one root."""

    def __init__(
        self, root: Root, request: BuildRequest, logs: BuildLogs, clock: Callable[[], float] = time.time
    ) -> None:
        self._root = root
        self._request = request
        self._logs = logs
        # mock's time limit is for all its commands together.
        self._deadline = clock() + root.settings.rpmbuild_timeout
        self._clock = clock
        self.spec = ""
        """Path of the spec in the root, known once the source package is unpacked."""
        self.dynamic = False
        """Whether the spec generates BuildRequires."""

    @property
    def srpm_name(self) -> str:
        return self._request.srpm_name

    def run(self) -> None:
        """Build; returns when rpmbuild has succeeded.

        Raises:
            BuildFault: kojid's "error building package ..." (or the init sentence's class where that is kojid's).
            InfrastructureFault: not the package's fault; nothing of the spec's result is lost by trying again.
            ContainerLost, OutOfMemory, Interrupted: as the steps raise them.
        """
        name = self._request.srpm_name
        with self._state(f"build phase for {name}"):
            with self._state(f"build setup for {name}"):
                self.spec = self._unpack()
                self.dynamic, requires = self._static_requires(self.spec)
            with self._state(f"rpmbuild {name}"):
                if self.dynamic:
                    self._dynamic_requires(self.spec, requires)
                self._report_installed()
                argv = commands.build(self._root.settings, self.spec, dynamic=self.dynamic)
                self._build_step("rpmbuild-b", argv, Phase.BUILD)

    @contextmanager
    def _state(self, what: str) -> Iterator[None]:
        """Write mock's lines around a part of the work; the last one also when it failed, not when it only was interrupted."""
        self._logs.state(f"Start: {what}")
        try:
            yield
        except RootFault:
            self._logs.state(f"Finish: {what}")
            raise
        self._logs.state(f"Finish: {what}")

    def _unpack(self) -> str:
        name = self._request.srpm_name
        self._build_step("install-srpm", commands.install_srpm(name), Phase.UNPACK, log=ROOT_LOG)
        code, listing = self._root.ask_tools(self._outside(commands.list_srpm(name)))
        spec = commands.spec_path(listing.decode("utf-8", "surrogateescape")) if code == 0 else None
        if spec is None:
            verdict = verdicts.no_spec(name, operation=Operation.BUILD, arch=self._request.arch)
            self._logs.write("no-spec", ROOT_LOG, lambda: f"{verdict.reason}\n")
            raise failure(verdict)
        return spec

    def _static_requires(self, spec: str) -> tuple[bool, frozenset[str]]:
        """Return whether the spec generates BuildRequires, and the requires that are installed now."""
        loop = static_loop()
        requires: frozenset[str] = frozenset()
        while loop.action is not Action.BUILD:
            argv = commands.build_srpm(self._root.settings, spec)
            status = self._build_step(f"rpmbuild-bs-{loop.rounds + 1}", argv, Phase.BUILD_SRPM)
            path, requires = self._written_srpm(".src.rpm", f"bs-{loop.rounds + 1}")
            loop = self._next(loop, status, path, requires, "builddep")
        return commands.has_dynamic_requires(requires), loop.satisfied

    def _dynamic_requires(self, spec: str, satisfied: frozenset[str]) -> None:
        loop = dynamic_loop(satisfied)
        while loop.action is not Action.BUILD:
            argv = commands.generate_buildrequires(self._root.settings, spec, first=loop.rounds == 0)
            status = self._build_step(f"rpmbuild-br-{loop.rounds + 1}", argv, Phase.GENERATE, may_miss=True)
            path, requires = "", frozenset[str]()
            if status.exit_code:
                path, requires = self._written_srpm(commands.BUILDREQS_SUFFIX, f"br-{loop.rounds + 1}")
            loop = self._next(loop, status, path, requires, "dynamic-builddep")

    def _next(
        self, loop: RequiresLoop, status: StepStatus, path: str, requires: frozenset[str], step: str
    ) -> RequiresLoop:
        loop = loop.generated(status.exit_code or 0, commands.package_requires(requires))
        if loop.action is Action.INSTALL:
            loop = loop.installed(changed=self._install(f"{step}-{loop.rounds}", path))
        return loop

    def _install(self, step: str, path: str) -> bool:
        """Install what a source package requires; return whether that changed the root."""
        ask = satisfied_command(self._root.layout, [path])
        if not self._remember(f"{step}-needed", lambda: self._root.ask_tools(ask)[0] != 0):
            return False
        before = self._remember(f"{step}-before", self._packages)
        status = self._root.install_requires(step, [path])
        if not status.ok:
            raise self._failed(Phase.BUILDDEP, status, ROOT_LOG, f"builddep {path}")
        return bool(self._remember(f"{step}-changed", lambda: self._packages() != before))

    def _packages(self) -> str:
        """Return what stands for the set of installed packages."""
        return hashlib.sha256(repr(sorted(package_set(self._root.installed()))).encode()).hexdigest()

    def _remember(self, name: str, make: Callable[[], Any]) -> Any:
        """Keep what was seen in this root at this place: a run that adopts the task finds the root further on."""
        return self._logs.remember(f"{self._root.pair.task.name}:{name}", make)

    def _written_srpm(self, suffix: str, name: str) -> tuple[str, frozenset[str]]:
        """Find the source package that rpmbuild has just written; return its path in the root and its requires."""
        path, requires = self._remember(f"written-{name}", lambda: self._read_srpm(suffix))
        return path, frozenset(requires)

    def _read_srpm(self, suffix: str) -> tuple[str, list[str]]:
        entries = self._root.list_files(commands.SRPMS)
        names = sorted(entry.name for entry in entries if entry.is_regular and entry.name.endswith(suffix))
        if len(names) != 1:
            found = f"rpmbuild wrote {len(names)} files *{suffix}: {', '.join(names[:5]) or 'none'}"
            verdict = verdicts.no_results(found, operation=Operation.BUILD, arch=self._request.arch)
            raise failure(verdict)
        path = f"{commands.SRPMS}/{names[0]}"
        code, output = self._root.ask_tools(commands.query_requires(self._root.layout.root + path))
        if code:
            verdict = verdicts.no_results(
                f"{names[0]}, written by rpmbuild, cannot be read", operation=Operation.BUILD, arch=self._request.arch
            )
            raise failure(verdict)
        return path, sorted(commands.parse_requires(output.decode("utf-8", "surrogateescape")))

    def _report_installed(self) -> None:
        with self._state("Outputting list of installed packages"):
            self._logs.write(
                "installed-pkgs", "installed_pkgs.log", lambda: installed_pkgs_log(self._root.installed()).decode()
            )

    def _build_step(
        self, step: str, argv: list[str], phase: Phase, *, log: str = BUILD_LOG, may_miss: bool = False
    ) -> StepStatus:
        """Run a command as the build user; one that fails raises, unless rpmbuild only says that requires are missing."""
        timeout = max(1.0, self._deadline - self._clock())
        status = self._root.build_step(step, argv, timeout=timeout, log=log)
        # rpmbuild that succeeds although the memory limit has killed a process of it may have built anything.
        if (status.ok and not status.oom_kills) or (may_miss and status.exit_code == 11 and status.signal is None):
            return status
        raise self._failed(phase, status, log, shlex.join(argv))

    def _failed(self, phase: Phase, status: StepStatus, log: str, command: str) -> Exception:
        tail = self._logs.tail(log, TAIL_BYTES)
        verdict = verdicts.judge(
            phase,
            status,
            tail,
            operation=Operation.BUILD,
            arch=self._request.arch,
            memory_limit=self._request.memory_limit,
        )
        use = full_disk(self._request.directory, self._request.minspace, tail) if self._request.directory else None
        if use is not None:
            verdict = verdicts.on_full_disk(verdict, use)
        if verdict.kind is not verdicts.Kind.PACKAGE or use is not None:
            self._logs.write(f"verdict-{phase}", log, lambda: f"{verdict.reason}\n")
        self._logs.write(f"error-{phase}", "mock_output.log", lambda: f"ERROR: Command failed: \n # {command}\n")
        return failure(verdict)

    def _outside(self, argv: list[str]) -> list[str]:
        """Turn a query of a file in the root into one for `tools`, which sees the root elsewhere."""
        return [*argv[:-1], self._root.layout.root + argv[-1]]
