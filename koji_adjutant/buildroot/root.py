"""A root that a build can use: the pair of containers, filled, set up for one task, and asked what it holds.

Orchestration only; what is run and written is decided in the pure modules beside this one. Every act is a durable step
or may be repeated, so a daemon that adopts the task walks through it again and finds everything done (design section 5).

Longer than 250 lines: each act on a root is one short method of one class, and they share its pair, settings and limits.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from koji_adjutant.buildroot import contents, dnf
from koji_adjutant.buildroot.commands import executing_line
from koji_adjutant.buildroot.contents import InstalledRpm
from koji_adjutant.buildroot.dnf import DnfLayout, PackageManager
from koji_adjutant.buildroot.macros import root_dbpath
from koji_adjutant.buildroot.pair import BUILDROOT, ContainerPair
from koji_adjutant.buildroot.per_task import BUILD_GID, BUILD_UID, RootFile, setup_script
from koji_adjutant.buildroot.settings import RootSettings
from koji_adjutant.buildroot.step_logs import StepLogs, step_footer
from koji_adjutant.container.interface import ContainerHandle, ContainerManager, ContainerRunResult, CopiedFile
from koji_adjutant.container.steps import BIN_DIR, StepSpec, StepStatus
from koji_adjutant.errors import ContainerError

ROOT_LOG = "root.log"
BUILD_LOG = "build.log"
DNF_LOGS = ("dnf.log", "dnf.rpm.log", "dnf.librepo.log")
QUERY_SECONDS = 120.0


@dataclass(frozen=True)
class ToolsFacts:
    """What is known of a tools image by its digest: asked once, the same for every task."""

    manager: PackageManager
    dbpath: str


@dataclass(frozen=True)
class StepLimits:
    """Bounds of every step of a task, from the configuration. Times in seconds, sizes in bytes."""

    install_timeout: float = 3600.0
    no_output_timeout: float | None = None
    orphan_timeout: float = 900.0
    log_cap: int = 1 << 30
    nofile: int | None = None


class Root:
    """One root of one task. `prefix` keeps the names of steps apart when a task needs a second root."""

    def __init__(
        self,
        manager: ContainerManager,
        pair: ContainerPair,
        settings: RootSettings,
        facts: ToolsFacts,
        logs: StepLogs,
        limits: StepLimits,
        *,
        prefix: str = "",
    ) -> None:
        self.manager = manager
        self.pair = pair
        self.settings = settings
        self.layout = DnfLayout(dbpath=facts.dbpath)
        self._facts = facts
        self._logs = logs
        self._limits = limits
        self._prefix = prefix
        self._configured = False
        self._ended: list[tuple[str, StepStatus]] = []
        self._installed: tuple[InstalledRpm, ...] | None = None
        self.package_manager_ran = False

    def ended_steps(self) -> list[tuple[str, StepStatus]]:
        """Return name and end of every step so far, in the order they ran."""
        return list(self._ended)

    @property
    def package_manager(self) -> str:
        """`dnf4` or `dnf5`."""
        return self._facts.manager.flavour.value

    @property
    def facts(self) -> ToolsFacts:
        return self._facts

    def clean(self) -> None:
        """Remove what a package manager left in the root beside packages, before the root becomes an image."""
        command = ["rm", "-rf", "--", *self.layout.leftovers]
        self._checked("clean-up of the root", self.manager.exec(self.pair.tools, command, timeout=QUERY_SECONDS))

    def fill(self) -> StepStatus:
        """Install the base group (and the tag's module commands before it). Returns the status of the last step."""
        for number, argv in enumerate(dnf.module_commands(self.settings, self.layout, self._facts.manager)):
            status = self.package_step(f"module-{number}", argv)
            if not status.ok:
                return status
        return self.package_step("init", dnf.install_group(self.settings, self.layout, self._facts.manager))

    def set_up(self, files: Sequence[RootFile], directories: Sequence[str]) -> None:
        """Write users, work area and per-task files; may be repeated before the build has begun."""
        self._checked(
            "set-up of the root",
            self.manager.exec(
                self.pair.task,
                [f"{BIN_DIR}/busybox", "sh", "-s"],
                stdin=setup_script(files, directories=directories),
                timeout=QUERY_SECONDS,
            ),
        )

    def installed(self) -> tuple[InstalledRpm, ...]:
        """Ask the rpmdb of the root, in `tools`; not again while no package manager has run since.

        Only root can write the rpmdb, and only the package manager runs as root in a root.

        Raises:
            RootFault: there is no rpmdb, or its answer cannot be read.
        """
        if self._installed is None:
            self._installed = self._query()
        return self._installed

    def knows(self, installed: tuple[InstalledRpm, ...]) -> None:
        """Take over what another root of the same prepared image was found to hold."""
        self._installed = installed

    def _query(self) -> tuple[InstalledRpm, ...]:
        result = self.manager.exec(
            self.pair.tools,
            contents.query_command(self.layout),
            env=dnf.environment(self.settings, self.layout),
            timeout=QUERY_SECONDS,
        )
        # 3: no database at all, which parse_installed says in kojid's words.
        if result.exit_code not in {0, 3}:
            self._checked("query of the rpmdb", result)
        return contents.parse_installed(result.stdout if result.exit_code == 0 else b"")

    def install_requires(self, name: str, packages: Sequence[str]) -> StepStatus:
        """Install the BuildRequires of source packages, given by their path inside the root."""
        outside = [self.layout.root + path for path in packages]
        return self.package_step(name, dnf.builddep(self.settings, self.layout, self._facts.manager, outside))

    def package_step(self, name: str, argv: Sequence[str]) -> StepStatus:
        """Run the package manager in `tools`; its output goes to root.log."""
        self._configure()
        self._installed, self.package_manager_ran = None, True
        env = dnf.environment(self.settings, self.layout)
        spec = StepSpec(
            name=self._prefix + name,
            argv=argv,
            env=env,
            timeout=self._limits.install_timeout,
            orphan_timeout=self._limits.orphan_timeout,
            log_cap=self._limits.log_cap,
            nofile=self._limits.nofile,
            personality=self.settings.personality,
        )
        return self._run(spec, ROOT_LOG, self.pair.tools)

    def build_step(self, name: str, argv: Sequence[str], *, timeout: float, log: str = BUILD_LOG) -> StepStatus:
        """Run a command in the root as the build user, offline unless the tag has a network."""
        spec = StepSpec(
            name=self._prefix + name,
            argv=argv,
            env=self.settings.env,
            uid=BUILD_UID,
            gid=BUILD_GID,
            groups=(BUILD_GID,),
            timeout=timeout,
            no_output_timeout=self._limits.no_output_timeout,
            orphan_timeout=self._limits.orphan_timeout,
            log_cap=self._limits.log_cap,
            nofile=self._limits.nofile,
            offline=not self.settings.network,
            personality=self.settings.personality,
        )
        return self._run(spec, log, self.pair.task)

    def root_step(
        self, name: str, argv: Sequence[str], *, workdir: str, timeout: float, log: str = ROOT_LOG
    ) -> StepStatus:
        """Run a command in the root as its root: what makes an image mounts and owns files."""
        spec = StepSpec(
            name=self._prefix + name,
            argv=argv,
            env=self.settings.env,
            workdir=workdir,
            timeout=timeout,
            no_output_timeout=self._limits.no_output_timeout,
            orphan_timeout=self._limits.orphan_timeout,
            log_cap=self._limits.log_cap,
            nofile=self._limits.nofile,
            offline=not self.settings.network,
            personality=self.settings.personality,
        )
        return self._run(spec, log, self.pair.task)

    def step_beside(
        self, where: ContainerHandle, name: str, argv: Sequence[str], *, workdir: str, timeout: float
    ) -> StepStatus:
        """Run a command as the build user in the root, from a container that sees it as `tools` does and has a network."""
        spec = StepSpec(
            name=self._prefix + name,
            argv=argv,
            env=self.settings.env,
            workdir=workdir,
            uid=BUILD_UID,
            gid=BUILD_GID,
            groups=(BUILD_GID,),
            chroot=BUILDROOT,
            timeout=timeout,
            no_output_timeout=self._limits.no_output_timeout,
            orphan_timeout=self._limits.orphan_timeout,
            log_cap=self._limits.log_cap,
            nofile=self._limits.nofile,
            personality=self.settings.personality,
        )
        return self._run(spec, ROOT_LOG, where)

    def list_files(self, directory: str, *, max_entries: int = 20_000) -> list[CopiedFile]:
        """List a directory of the root, not following links; see `ContainerManager.list_files`."""
        if self.pair.files is not None and self.pair.files.covers(directory):
            return self.pair.files.list(directory, max_entries=max_entries)
        return self.manager.list_files(self.pair.task, directory, max_entries=max_entries)

    def copy_from(self, path: str, target: BinaryIO, *, max_bytes: int) -> int:
        """Copy one regular file of the root out; see `ContainerManager.copy_from`."""
        if self.pair.files is not None and self.pair.files.covers(path):
            return self.pair.files.copy_from(path, target, max_bytes=max_bytes)
        return self.manager.copy_from(self.pair.task, path, target, max_bytes=max_bytes)

    def put(self, source: Path, path: str) -> None:
        """Write a file of this machine into the root; only before code of the build has run."""
        if self.pair.files is not None and self.pair.files.covers(path):
            self.pair.files.put(source, path)
        else:
            self.manager.copy_to(self.pair.task, source, path)

    def ask_tools(self, argv: Sequence[str], *, timeout: float = QUERY_SECONDS) -> tuple[int, bytes]:
        """Run a short query in `tools`; return exit code and stdout. May be repeated."""
        env = dnf.environment(self.settings, self.layout)
        result = self.manager.exec(self.pair.tools, list(argv), env=env, timeout=timeout)
        return result.exit_code, result.stdout

    def _run(self, spec: StepSpec, log: str, where: ContainerHandle) -> StepStatus:
        status = self._logs.run(
            self.pair.steps,
            where,
            spec,
            log,
            header=executing_line(list(spec.argv), dict(spec.env)),
            footer=step_footer,
        )
        self._ended.append((spec.name, status))
        return status

    def _configure(self) -> None:
        """Write the package manager's configuration into `tools`; nothing of the image's own is used."""
        if self._configured:
            return
        script = files_script(dnf.config_files(self.settings, self.layout), self.layout.directories)
        result = self.manager.exec(
            self.pair.tools, [f"{BIN_DIR}/busybox", "sh", "-s"], stdin=script, timeout=QUERY_SECONDS
        )
        self._checked("configuration of the package manager", result)
        self._configured = True

    def _checked(self, what: str, result: ContainerRunResult) -> None:
        if result.exit_code:
            raise ContainerError(
                f"{what} failed in {self.pair.task.name} with exit code {result.exit_code}",
                details=result.stderr[-2000:].decode("utf-8", "replace"),
                reason="setup",
                retryable=True,
            )


def tools_facts(manager: ContainerManager, pair: ContainerPair, wanted: str) -> ToolsFacts:
    """Ask a tools container which package manager it has and where its rpm keeps databases.

    Raises:
        ConfigurationError: it has no package manager.
    """
    found = manager.exec(pair.tools, dnf.detect_command(), timeout=QUERY_SECONDS)
    database = manager.exec(pair.tools, ["rpm", "--eval", "%_dbpath"], timeout=QUERY_SECONDS)
    return ToolsFacts(
        dnf.choose_package_manager(wanted, found.stdout.decode("utf-8", "replace")),
        root_dbpath(database.stdout.decode("utf-8", "replace")),
    )


def through_proxy(settings: RootSettings, url: str) -> RootSettings:
    """Point the package manager at the daemon's repository proxy; a site's own proxy is then the daemon's business."""
    return replace(settings, proxy=url)


def files_script(files: Mapping[str, bytes], directories: Sequence[str]) -> bytes:
    """Return a script for busybox that makes directories and files; may be repeated."""
    busybox = f"{BIN_DIR}/busybox"
    lines = ["set -eu", f"{busybox} mkdir -p {shlex.join(directories)}"]
    for path, data in files.items():
        encoded = base64.b64encode(data).decode()
        lines.append(f"printf %s {shlex.quote(encoded)} | {busybox} base64 -d > {shlex.quote(path)}")
    return ("\n".join(lines) + "\n").encode()
