"""A mount that somebody exchanges between its judgement and the command: refused; one whose task is adopted: kept."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import koji
import pytest

from koji_adjutant.container.interface import ContainerRunResult, MountKind
from koji_adjutant.tasks.command_in_root import CommandInRoot, RootCommand
from koji_adjutant.tasks.host_volume import HostVolume, check_mounted, opened
from koji_adjutant.tasks.run_root import RunRootTask
from tests.support.task_scene import Scene

CONF = """
[paths]
default_mounts = {path}
[path0]
mountpoint = {path}
path = {path}
fstype = bind
options = ro,bind
"""


class Here:
    """A container that has every directory of this machine where this machine has it."""

    def __init__(self) -> None:
        self.asked = 0

    def exec(self, _: object, argv: Sequence[str], **__: object) -> ContainerRunResult:
        self.asked += 1
        ended = subprocess.run(argv[1:], capture_output=True, check=False)
        return ContainerRunResult(ended.returncode, ended.stdout, ended.stderr)


def judged(directory: Path) -> HostVolume:
    """The volume of a directory as it is now."""
    directory.mkdir(exist_ok=True)
    real, identity = opened(str(directory))
    return HostVolume(str(directory), real, identity=identity)


def check(*volumes: HostVolume) -> None:
    """Compare them with what is there."""
    check_mounted(Here(), None, volumes)  # type: ignore[arg-type] # the part of a runtime that is used


def test_record(tmp_path: Path) -> None:
    """A journal keeps all of it."""
    volume = HostVolume("/t", kind=MountKind.TMPFS, mode=0o1777)
    assert HostVolume.from_record(volume.record()) == volume
    assert HostVolume.from_record(judged(tmp_path).record()) == judged(tmp_path)


def test_path_and_identity_are_of_one_directory(tmp_path: Path) -> None:
    """A link is followed once, for both."""
    volume = judged(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    assert opened(str(tmp_path / "link")) == (str(tmp_path / "real"), volume.identity)


@pytest.mark.parametrize("name", ["none", "file"])
def test_no_directory(tmp_path: Path, name: str) -> None:
    """Only directories are mounted."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="directory"):
        opened(str(tmp_path / name))


def test_mount_as_it_was(tmp_path: Path) -> None:
    """What a memory file system is, nobody asks."""
    check(judged(tmp_path), HostVolume("/none", kind=MountKind.TMPFS))


def test_exchanged_mount(tmp_path: Path) -> None:
    """A link in the place of the directory, to where it must not lead; and a directory that is not there."""
    volume = judged(tmp_path / "d")
    (tmp_path / "d").rename(tmp_path / "moved")
    with pytest.raises(koji.GenericError, match=r"is not safe: .*/d is not the directory that .*; nothing was run"):
        check(volume)
    (tmp_path / "d").symlink_to("/etc")
    with pytest.raises(koji.GenericError, match=r"is not safe: .*/d is not the directory that"):
        check(volume)


def test_adopted_task_keeps_its_mounts(tmp_path: Path) -> None:
    """Directory and configuration may be gone: the container has what it has."""
    shared = tmp_path / "shared"
    shared.mkdir()
    conf = tmp_path / "runroot.conf"
    conf.write_text(CONF.format(path=shared))
    scene = Scene(tmp_path, RunRootTask, None)
    logs: Any = SimpleNamespace(write=lambda *_: None)

    def mounts() -> tuple[HostVolume, ...]:
        task: Any = scene.task()
        task.context.config = SimpleNamespace(plugin_conf_dir=tmp_path)
        found = task._mounts((), logs)
        task.context.journal.close()
        return tuple(found)

    (first,) = mounts()
    assert (first.target, first.source, bool(first.identity)) == (str(shared), str(shared), True)
    shared.rmdir()
    conf.unlink()
    assert mounts() == (first,)


def test_command_that_runs_is_not_disturbed(tmp_path: Path) -> None:
    """Each root is looked at before its command, not again when a daemon adopts it."""
    context: Any = Scene(tmp_path, RunRootTask, None).task().context
    context.runtime = here = Here()
    volume = judged(tmp_path / "d")
    nothing: Any = None
    work = CommandInRoot(context, nothing, nothing, nothing, "x86_64", RootCommand("true", mounts=(volume,)))
    root: Any = SimpleNamespace(pair=SimpleNamespace(task=None))

    def look(attempt: int) -> None:
        work._check_mounts(SimpleNamespace(root=root, attempt=attempt))  # type: ignore[arg-type] # what is used of it

    look(1)
    (tmp_path / "d").rmdir()
    look(1)
    assert here.asked == 1
    with pytest.raises(koji.GenericError, match="is not safe"):
        look(2)


def test_nothing_runs_on_an_exchanged_mount(tmp_path: Path) -> None:
    """The look comes before the task's own code may run."""
    context: Any = Scene(tmp_path, RunRootTask, None).task().context
    context.runtime = Here()
    volume = judged(tmp_path / "d")
    (tmp_path / "d").rmdir()
    nothing: Any = None
    work = CommandInRoot(context, nothing, nothing, nothing, "x86_64", RootCommand("true", mounts=(volume,)))
    opened_root: Any = SimpleNamespace(root=SimpleNamespace(pair=SimpleNamespace(task=None)), attempt=1)
    with pytest.raises(koji.GenericError, match="is not safe"):
        work._do(opened_root)
    assert not context.journal.done("spec-runs")
