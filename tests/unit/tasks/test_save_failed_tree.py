"""saveFailedTree: the plugin's configuration, and what it says when there is no root to save."""

from __future__ import annotations

import secrets
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import koji
import pytest

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.container.interface import ContainerSpec, ContainerStatus
from koji_adjutant.container.memory_manager import MemoryManager
from koji_adjutant.errors import TaskCancelled
from koji_adjutant.tasks.context import Interruption
from koji_adjutant.tasks.save_failed_tree import SaveFailedTreeTask, SaveTreeConfig, read_save_tree_config

ROW = {"id": 7, "host_id": 1, "task_id": 30, "tag_name": "f-build", "repo_id": 4}
LABELS = {"io.koji.adjutant.worker": "me", "io.koji.adjutant.task": "30", "io.koji.adjutant.role": "task"}
OPTIONS = KojidOptions(server="http://hub", topurl="http://top", topurls=("http://top",), workdir="/nowhere")


def test_configuration(tmp_path: Path) -> None:
    """Filters by blanks; the volume of [general], which the shipped file does not have."""
    assert read_save_tree_config(tmp_path) == SaveTreeConfig()
    conf = tmp_path / "save_failed_tree.conf"
    conf.write_text("[global]\nvolume = V\n[filters]\npaths = */a b*\n")
    assert read_save_tree_config(tmp_path) == SaveTreeConfig(("*/a", "b*"), None)
    conf.write_text("[general]\nvolume = V \n")
    assert read_save_tree_config(tmp_path).volume == "V"
    conf.write_text("nothing")
    with pytest.raises(koji.GenericError, match=r"bad config: .*save_failed_tree.conf"):
        read_save_tree_config(tmp_path)


def save(
    directory: Path, runtime: Any, row: Any, newer: int | None = None, host: int = 1, interruption: Any = None
) -> None:
    """Run the handler on a hub that knows one buildroot."""
    session = SimpleNamespace(
        getBuildroot=lambda _: row,
        listBuildroots=lambda **_: [{"id": each} for each in (7, newer) if each is not None],
        host=SimpleNamespace(getHost=lambda: {"id": host}),
    )
    task = SaveFailedTreeTask(40, "saveFailedTree", [7], session, OPTIONS)
    config = SimpleNamespace(plugin_conf_dir=directory, build=SimpleNamespace(result_max_bytes=1000))
    task.context = SimpleNamespace(
        config=config,
        directory=directory,
        runtime=runtime,
        identity=SimpleNamespace(worker_label="me"),
        interruption=interruption or Interruption(),
    )
    task.handler(7)


@pytest.mark.parametrize(
    ("row", "newer", "host", "text"),
    [
        (None, None, 1, "Nonexistent buildroot: 7"),
        (ROW, None, 2, "Task is run on wrong builder"),
        (ROW, 8, 1, r"missing: /var/lib/mock/f-build-7-4/root/builddir \(task 30 was started again"),
        (ROW, None, 1, r"missing: .*this builder has no root of task 30: it is kept for 4 hours"),
    ],
)
def test_no_root(tmp_path: Path, row: Any, newer: int | None, host: int, text: str) -> None:
    """The plugin's words, and why."""
    with pytest.raises(koji.GenericError, match=text):
        save(tmp_path, MemoryManager(), row, newer, host)


def test_root_whose_container_has_ended(tmp_path: Path) -> None:
    """After a restart of the machine the root is gone with its container."""
    runtime = MemoryManager()
    runtime.add_image("root")
    runtime.create(ContainerSpec("root-30", "root", labels=LABELS))
    with pytest.raises(koji.GenericError, match="the container of task 30 has ended"):
        save(tmp_path, runtime, ROW)
    assert list(tmp_path.iterdir()) == []


class Flood:
    """A runtime whose one root gives an archive without end, in the caller's thread as Podman's client does."""

    def list_managed(self, labels: Any) -> list[Any]:
        return [SimpleNamespace(status=ContainerStatus.RUNNING, created_at=1.0, handle="root", labels=labels)]

    def exec(self, handle: str, argv: list[str], *, stdin: bytes, stdout: Any, stderr: Any, timeout: float) -> Any:
        header = bytearray(512)
        header[:1], header[124:136], header[156:157] = b"x", b"%011o\0" % (1 << 30), b"0"
        stdout(bytes(header))
        while True:
            stdout(secrets.token_bytes(1 << 16))


def test_root_that_is_too_large(tmp_path: Path) -> None:
    """The archive is given up at the limit, and nothing is left of it."""
    with pytest.raises(koji.GenericError, match="larger than the 1000 bytes allowed"):
        save(tmp_path, Flood(), ROW)
    assert list(tmp_path.iterdir()) == []


def test_cancelled(tmp_path: Path) -> None:
    """A cancel ends an archive on its way."""
    interruption = Interruption()
    interruption.cancel("the user said so")
    with pytest.raises(TaskCancelled, match="the user said so"):
        save(tmp_path, Flood(), ROW, interruption=interruption)
