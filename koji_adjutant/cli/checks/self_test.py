"""The self-test transaction: a root is filled, verified and entered as tasks do it, then removed.

It goes the way of a real task (pair of containers, package manager from outside, durable offline step), so what works
here works there. Needs no hub, no repository and no network.
"""

from __future__ import annotations

import platform
import shutil
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from koji_adjutant.buildroot import dnf
from koji_adjutant.buildroot.pair import PairRequest, create_pair
from koji_adjutant.buildroot.per_task import BUILD_UID
from koji_adjutant.buildroot.root import Root, StepLimits, tools_facts
from koji_adjutant.buildroot.settings import ENVIRONMENT, RootSettings
from koji_adjutant.buildroot.step_logs import StepLogs
from koji_adjutant.cli.checks import self_test_package as package
from koji_adjutant.cli.checks.check import Check, Finding
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.factory import create_container_manager
from koji_adjutant.container.image_policy import pull_policy
from koji_adjutant.container.interface import ImageKeeper
from koji_adjutant.container.static_tools import static_directory
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.errors import AdjutantError
from koji_adjutant.tasks.shared import ensure_empty_image

BUSYBOX = f"{BIN_DIR}/busybox"
TIMEOUT = 120.0
TOOLS_REMEDY = "Name an image with dnf, rpm, rpmbuild and createrepo_c in images.tools."


class StageFailed(AdjutantError):
    """One stage did not give what the next one needs."""


def self_test(config: AdjutantConfig) -> Check:
    """Return the check; it runs only where runtime and images are fine."""
    return Check(
        "self-test",
        "a package installed into an empty root from outside, verified, and a step run in it offline",
        lambda: run_self_test(config),
        after="images",
    )


def run_self_test(config: AdjutantConfig) -> Sequence[Finding]:
    """Run all stages; the first that fails is the finding, with its remedy. Nothing is left behind."""
    if config.runtime != "podman" or config.images.tools is None:
        return []
    log = Captured()
    try:
        with _stage("containers", log), ExitStack() as stack:
            manager = create_container_manager(config)
            stack.callback(manager.close)
            root = stack.enter_context(_root(manager, config, log))
            return _stages(root, log)
    except StageFailed as error:
        text = "\n".join(part for part in (error.brief, error.details) if part)
        return [Finding(text, error.resolution)]


def _stages(root: Root, log: Captured) -> list[Finding]:
    with _stage("making a package in the tools image", log, TOOLS_REMEDY):
        _script(root, package.build_script(), tools=True)
    with _stage("writing into the root", log):
        _script(root, package.users_script(BUSYBOX))
    with _stage("installing a package from outside", log, TOOLS_REMEDY):
        argv = dnf.install(root.settings, root.layout, root.facts.manager, [package.NAME])
        status = root.package_step("install", argv)
        if not status.ok:
            raise StageFailed(f"the package manager ended with {status.exit_code} ({status.end})")
    with _stage("verifying the installed package", log):
        looks = _script(root, package.look_script(BUSYBOX))
        capabilities = _rpm(root, "-q", "--filecaps", package.NAME)
        verification = _rpm(root, "-Va")
        wrong = package.judge(looks, capabilities, verification)
    with _stage("a step as the build user, without a network", log):
        status = root.build_step("step", [BUSYBOX, "id", "-u"], timeout=TIMEOUT, log="step.log")
        if not status.ok or str(BUILD_UID) not in log.text("step.log").split("\n"):
            raise StageFailed(f"`id -u` should say {BUILD_UID}; the step ended with {status.exit_code} ({status.end})")
    return [Finding(f"self-test, verifying the installed package: {each.what}", each.remedy) for each in wrong]


@contextmanager
def _root(manager: ImageKeeper, config: AdjutantConfig, log: Captured) -> Iterator[Root]:
    """Give a root on the empty image, filled with nothing; both containers and the directory go at the end."""
    assert config.images.tools is not None
    image = manager.ensure_image_available(config.images.tools, pull_policy(config.images, config.images.tools))
    if "commit" in manager.health_check().capabilities:
        ensure_empty_image(manager, config.empty_image)
    name = f"check-{uuid.uuid4().hex[:8]}"
    directory = Path(config.state_dir) / name
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        _make(directory)
        request = PairRequest(
            name=f"adjutant-{name}",
            directory=directory,
            static_dir=static_directory(config.static_dir),
            root_image=config.empty_image,
            tools_image=image.reference,
            labels=lambda role: {"io.koji.adjutant.role": f"check-{role}"},
            userns=config.userns,
            seccomp_profile=config.seccomp_profile,
        )
        pair = create_pair(manager, request, patience=TIMEOUT)
        stack.callback(pair.remove)
        with _stage("asking the tools image for its package manager", log, TOOLS_REMEDY):
            facts = tools_facts(manager, pair, "dnf")
        logs = StepLogs(log, lambda _, make: make(), threading.Event())
        yield Root(manager, pair, _settings(), facts, logs, StepLimits(install_timeout=TIMEOUT, log_cap=1 << 20))


def _settings() -> RootSettings:
    arch = platform.machine()
    return RootSettings(
        tag_name="check",
        tag_id=0,
        arch=arch,
        br_arch=arch,
        target_arch=arch,
        repo_urls=(f"file://{package.REPO}",),
        install_group="",
        network=False,
        env=ENVIRONMENT,
    )


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise StageFailed(
            f"{directory} cannot be made: {error.strerror}", resolution="Run the check as the daemon's user."
        ) from error


def _script(root: Root, script: bytes, *, tools: bool = False) -> str:
    where, shell = (root.pair.tools, ["sh", "-s"]) if tools else (root.pair.task, [BUSYBOX, "sh", "-s"])
    result = root.manager.exec(where, shell, stdin=script, timeout=TIMEOUT)
    if result.exit_code:
        raise StageFailed(
            f"it ended with {result.exit_code}", details=result.stderr[-1000:].decode("utf-8", "replace").strip()
        )
    return result.stdout.decode("utf-8", "replace")


def _rpm(root: Root, *arguments: str) -> str:
    _, output = root.ask_tools(["rpm", "--root", root.layout.root, *arguments])
    return output.decode("utf-8", "replace")


@contextmanager
def _stage(name: str, log: Captured, remedy: str = "") -> Iterator[None]:
    """Name the stage in whatever goes wrong in it."""
    try:
        yield
    except StageFailed as error:
        if error.brief.startswith("self-test"):
            raise
        raise _failed(name, error, log, remedy) from error
    except AdjutantError as error:
        raise _failed(name, error, log, remedy) from error


def _failed(name: str, error: AdjutantError, log: Captured, remedy: str) -> StageFailed:
    details = error.details or log.tail()
    return StageFailed(f"self-test, {name}: {error.brief}", details=details, resolution=error.resolution or remedy)


class Captured:
    """A `LogSink` in memory, for a few lines."""

    def __init__(self) -> None:
        self._logs: dict[str, bytearray] = {}

    def write(self, log: str, offset: int, data: bytes) -> None:
        self._logs.setdefault(log, bytearray())[offset : offset + len(data)] = data

    def append(self, log: str, data: bytes) -> None:
        self.write(log, self.size(log), data)

    def size(self, log: str) -> int:
        return len(self._logs.get(log, b""))

    def text(self, log: str) -> str:
        return self._logs.get(log, bytearray()).decode("utf-8", "replace")

    def tail(self, lines: int = 6) -> str:
        """Return the end of what was written last."""
        newest = list(self._logs)[-1:]
        return "\n".join(line for name in newest for line in self.text(name).splitlines()[-lines:])
