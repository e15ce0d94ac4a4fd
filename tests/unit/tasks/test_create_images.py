"""Handlers of images: what they refuse before there is a root, what an earlier daemon's result is, what a failure leaves."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import koji
import pytest

from koji_adjutant.container.steps import StepEnd
from koji_adjutant.tasks import buildroot_task, create_kiwi_image
from koji_adjutant.tasks.buildroot_record import RepoTag
from koji_adjutant.tasks.create_kiwi_image import CreateKiwiImageTask
from koji_adjutant.tasks.create_live_media import CreateLiveMediaTask
from koji_adjutant.tasks.image_root import ImageRoot, said
from tests.support.task_scene import Scene

TARGET = {"build_tag": 2, "build_tag_name": "t-build"}
REPO = {"id": 9, "create_event": 50, "tag_id": 2}
TAG = {"id": 2, "name": "t-build", "arches": "x86_64"}
KIWI = ("disk", "1", "1", "x86_64", TARGET, 2, REPO, "git://u:secret@h/r#1", "x.kiwi", {})
LIVE = ("live", "1", "1", "x86_64", TARGET, 2, REPO, "cli/x.ks", {})


class Hub:
    """Knows the repo and makes one buildroot."""

    def getChannel(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"name": "image"}

    def getTaskInfo(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"owner": 1, "channel_id": 1}

    def getBuildConfig(self, *_: Any, **__: Any) -> dict[str, Any]:
        return TAG

    def repoInfo(self, *_: Any, **__: Any) -> dict[str, Any]:
        return REPO

    def host_newBuildRoot(self, *_: Any, **__: Any) -> int:
        return 7

    def host_setBuildRootState(self, *_: Any) -> None:
        """Take it."""


@pytest.mark.parametrize(("handler", "params"), [(CreateKiwiImageTask, KIWI), (CreateLiveMediaTask, LIVE)])
def test_result_of_an_earlier_daemon(handler: type[Any], params: tuple[Any, ...], tmp_path: Path) -> None:
    """It is reported as the hub takes it; the buildroot's id is ours only."""
    scene = Scene(tmp_path, handler, Hub(), *params)
    task = scene.task()
    task.context.journal.remember("result", lambda: {"brootid": 7, "image": {"files": ["a"]}})
    task.context.journal.close()
    assert scene.run() == {"files": ["a"]}
    assert scene.session.calls == [("host.setBuildRootState", (7, "EXPIRED"), {})]


def test_kiwi_takes_no_password(tmp_path: Path) -> None:
    """Whatever kojid.conf allows; it is not told."""
    scene = Scene(tmp_path, CreateKiwiImageTask, Hub(), *KIWI, allow_password_in_scm_url=True)
    with pytest.raises(koji.GenericError) as caught:
        scene.run()
    assert "secret" not in str(caught.value)
    assert not scene.session.made("host.newBuildRoot")


def test_volume_id_is_checked_first(tmp_path: Path) -> None:
    """Before any root is made."""
    scene = Scene(tmp_path, CreateLiveMediaTask, Hub(), *LIVE[:-1], {"volid": "v" * 33})
    with pytest.raises(koji.LiveMediaError):
        scene.run()
    assert scene.session.calls == []


def test_failed_root_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A privileged container does not stay for who wants to look."""

    def fail() -> None:
        raise koji.GenericError("Kiwi failed")

    logs = SimpleNamespace(write=lambda *_: None)
    monkeypatch.setattr(buildroot_task, "TaskLogs", lambda _: contextlib.nullcontext(logs))
    monkeypatch.setattr(buildroot_task, "mock_config", lambda *_, **__: "")
    monkeypatch.setattr(buildroot_task, "keep_failed_root", lambda *_: pytest.fail("the root is kept"))
    monkeypatch.setattr(create_kiwi_image, "repo_tag", lambda *_: RepoTag(REPO, TAG))
    monkeypatch.setattr(create_kiwi_image, "assert_source_allowed", lambda *_, **__: None)
    monkeypatch.setattr(create_kiwi_image, "KiwiImage", lambda *_: SimpleNamespace(run=fail))
    scene = Scene(tmp_path, CreateKiwiImageTask, Hub(), *KIWI)
    with pytest.raises(koji.GenericError, match=r"^Kiwi failed$"):
        scene.run()
    assert scene.session.made("host.setBuildRootState") == [(7, "EXPIRED")]


@pytest.mark.parametrize(
    ("end", "code", "signal", "words"),
    [
        (StepEnd.EXITED, 3, None, "x exited with status 3"),
        (StepEnd.EXITED, 137, 9, "x was killed by signal 9"),
        (StepEnd.TIMEOUT, None, None, "x was ended: timeout"),
    ],
)
def test_end_of_a_program(end: StepEnd, code: int | None, signal: int | None, words: str) -> None:
    """In koji's words."""
    status: Any = SimpleNamespace(end=end, exit_code=code, signal=signal)
    assert said("x", status) == words


@pytest.mark.parametrize("name", ["../x", ".hidden", "root.log", "a\nb"])
def test_names_that_no_file_may_have(name: str, tmp_path: Path) -> None:
    """Neither a path nor a log of the task is replaced; the copy here is gone."""
    context: Any = SimpleNamespace(options=SimpleNamespace(chroot_tmpdir="/t"))
    logs: Any = SimpleNamespace(spool=SimpleNamespace(names=lambda: ["root.log"]))
    opened: Any = SimpleNamespace(root=None)
    (tmp_path / "upload").touch()
    with pytest.raises(koji.BuildError, match="no name for a file"):
        ImageRoot(context, logs, opened).put(tmp_path / "upload", name)
    assert not (tmp_path / "upload").exists()
