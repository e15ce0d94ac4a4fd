"""`koji-adjutant build`: one source package becomes RPMs on this machine, by the same pipeline as for a Koji hub.

Exit codes: 0; 1 the package fails; 2 usage; 75 hub, runtime, image or disk; 130 interrupted, with everything removed.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from koji_adjutant.cli.build_outcome import (
    End,
    InfrastructureError,
    Outcome,
    PackageError,
    check_source,
    copy_results,
    last_lines,
    listing,
    named_log,
    outcome_of,
)
from koji_adjutant.cli.build_phases import Phase
from koji_adjutant.cli.build_progress import Progress
from koji_adjutant.cli.build_request import BuildRequest, add_arguments, read_request
from koji_adjutant.cli.build_watch import Watch
from koji_adjutant.cli.desk_builder import MIN_FREE_MB, DeskBuilder, desk_config, remove_all
from koji_adjutant.cli.desk_directory import desk_base, desk_directory, forget_old
from koji_adjutant.cli.desk_hub import DeskHub, desk_name, open_hub
from koji_adjutant.config.adjutant import load_adjutant_config
from koji_adjutant.config.model import AdjutantConfig
from koji_adjutant.container.image_policy import pull_policy, tools_image
from koji_adjutant.container.interface import ImageKeeper
from koji_adjutant.errors import AdjutantError, ConfigurationError, ContainerError, HubError, ImageError, UsageError
from koji_adjutant.logs import configure_logging

__all__ = ["EXAMPLES", "add_arguments", "run"]

KEEP_SECONDS = 900.0
"""How long the end may wait for the prepared image."""
TICK = 0.1
SAME_PRESS_SECONDS = 2.0
EXAMPLES = """\
koji-adjutant build foo-1.0-1.src.rpm --repo https://mirror.example.com/releases/42/Everything/$arch/os/
koji-adjutant build foo-1.0-1.src.rpm --repo ./repo --verbose --result out
koji-adjutant build foo-1.0-1.src.rpm --repo ./repo --keep --define 'dist .el9'
"""


def run(arguments: argparse.Namespace) -> int:
    """Build; return 0. Everything else is an error (`PackageError`, `UsageError`, infrastructure) or an interrupt."""
    level = logging.INFO if arguments.debug else logging.CRITICAL
    configure_logging("console", {"koji": level, "koji_adjutant": level})
    request = read_request(arguments)
    check_source(request.srpm)
    progress = Progress()
    try:
        with _interrupts():
            return _build(request, progress)
    except KeyboardInterrupt:
        progress.end()
        progress.say("interrupted")
        raise
    except (UsageError, PackageError, HubError, ContainerError):
        progress.end("failed")
        raise
    except ConfigurationError as error:
        raise UsageError(error.brief, details=error.details, resolution=error.resolution) from error
    except AdjutantError as error:
        raise InfrastructureError(error.brief, details=error.details, resolution=error.resolution) from error
    except OSError as error:
        raise InfrastructureError(f"{error.filename or 'the disk'}: {error.strerror}") from error


def _build(request: BuildRequest, progress: Progress) -> int:
    config = load_adjutant_config(os.environ)
    base = desk_base(os.environ)
    with ExitStack() as stack:
        desk = stack.enter_context(desk_directory(base, desk_name(request), keep=request.keep))
        config = desk_config(config, desk, request.tools_image)
        runtime = stack.enter_context(_open_runtime(config))
        _check_image(config, runtime, request, progress)
        for host in forget_old(base):
            remove_all(runtime, host)
        _check_disk(desk.path, request.result)
        progress.begin(Phase.REPOSITORY)
        hub = open_hub(desk, request)
        stack.callback(hub.hub.stop)
        progress.end("as it was" if hub.reused else "made new")
        with DeskBuilder(desk, hub, config, runtime, keep=request.keep) as builder:
            try:
                return _run_task(request, hub, builder, progress)
            except KeyboardInterrupt:
                progress.end("interrupted")
                progress.begin(Phase.REMOVE)
                raise


def _run_task(request: BuildRequest, hub: DeskHub, builder: DeskBuilder, progress: Progress) -> int:
    task = hub.make_task(request)
    watch = Watch(request, hub, builder, progress, task)
    watch.until_ended()
    outcome = outcome_of(hub.state(task), watch.result(), hub.refusal(task))
    files = copy_results(hub.output_directory(task), request.result)
    watch.show_rest()
    progress.end("failed" if outcome.end is End.INFRASTRUCTURE else "")
    _report(request, outcome, files, watch, progress)
    if outcome.end is not End.INFRASTRUCTURE:
        _wait_for_prepared(builder, progress)
    watch.until_removed()
    if request.keep:
        _say_kept(builder, task, progress)
    return _exit(request, outcome)


def _report(request: BuildRequest, outcome: Outcome, files: list[Path], watch: Watch, progress: Progress) -> None:
    if outcome.end is End.PACKAGE:
        log = named_log(outcome.text, request.result)
        if log in files and log is not None:
            progress.say(f"\nThe last lines of {log.name}:")
            progress.say("".join(f"  | {line}\n" for line in last_lines(log)).rstrip("\n"))
    seconds = sum(phase.seconds for phase in progress.phases)
    times = ", ".join(f"{phase.name} {phase.seconds:.1f}" for phase in progress.phases)
    root = "that of a prepared image" if watch.prepared else "installed anew"
    what = "built" if outcome.end is End.BUILT else f"not built, failed at {_failed_at(progress)},"
    packages = [path for path in files if path.suffix == ".rpm"] if outcome.end is End.BUILT else []
    sys.stdout.write(f"\n{request.srpm.name}: {what} in {seconds:.1f} s ({times})\n")
    if outcome.end is not End.INFRASTRUCTURE:
        sys.stdout.write(f"The build root was {root}.\n")
    sys.stdout.write(listing("Packages", packages))
    sys.stdout.write(listing("Logs", [path for path in files if path.suffix != ".rpm"]))
    sys.stdout.flush()


def _failed_at(progress: Progress) -> str:
    names = [phase.name for phase in progress.phases if phase.name != Phase.COLLECT]
    return names[-1] if names else Phase.ROOT


def _exit(request: BuildRequest, outcome: Outcome) -> int:
    if outcome.end is End.PACKAGE:
        raise PackageError(f"{request.srpm} does not build: {outcome.text}")
    if outcome.end is End.INFRASTRUCTURE:
        raise InfrastructureError(
            f"{request.srpm.name} could not be built here: {outcome.text}",
            resolution="This is not the package's doing.",
        )
    return 0


def _say_kept(builder: DeskBuilder, task: int, progress: Progress) -> None:
    for info in builder.containers(task):
        if info.handle.name.endswith("-task"):
            progress.say(
                f"\nThe build root is kept for a day. Enter it:  podman exec -it {info.handle.name} /bin/bash -l\n"
                f"Remove it:  podman rm -f {info.handle.name}"
            )


def _wait_for_prepared(builder: DeskBuilder, progress: Progress) -> None:
    prepared, deadline = builder.shared.prepared, time.monotonic() + KEEP_SECONDS
    if prepared.wait_idle(0):
        return
    progress.begin(Phase.KEEP)
    while not prepared.wait_idle(TICK) and time.monotonic() < deadline:
        progress.tick()
    progress.end()


@contextmanager
def _open_runtime(config: AdjutantConfig) -> Iterator[ImageKeeper]:
    # late: the clients of a runtime take a second to import, and are not needed to say that a file is wrong
    from koji_adjutant.container.factory import create_container_manager

    runtime = create_container_manager(config)
    try:
        health = runtime.health_check()
        if health.problems:
            raise InfrastructureError(
                f"{health.runtime} {health.version} cannot run a build", details="\n".join(health.problems)
            )
        yield runtime
    finally:
        runtime.close()


def _check_image(config: AdjutantConfig, runtime: ImageKeeper, request: BuildRequest, progress: Progress) -> None:
    try:
        image = tools_image(config.images, tag="desk-build", arch=request.arch, method="buildArch")
    except ImageError as error:
        raise UsageError(
            "no tools image", resolution="Give --tools-image IMAGE, or set images.tools in adjutant.yaml."
        ) from error
    progress.tick()
    runtime.ensure_image_available(image, pull_policy(config.images, image))


def _check_disk(*paths: Path) -> None:
    for path in paths:
        free = shutil.disk_usage(path).free >> 20
        if free < MIN_FREE_MB:
            raise InfrastructureError(
                f"{path} has {free} MB free, {MIN_FREE_MB} MB are needed", reason="disk", resolution="Make room there."
            )


@contextmanager
def _interrupts() -> Iterator[None]:
    """Let SIGTERM and SIGHUP act as Ctrl-C does, so that they remove everything too.

    One press may arrive twice (from the terminal and from a wrapper such as timeout): the second within a moment does
    not end the removal.
    """
    first: list[float] = []

    def interrupt(*_: Any) -> None:
        if not first or time.monotonic() - first[0] > SAME_PRESS_SECONDS:
            first.append(time.monotonic())
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
