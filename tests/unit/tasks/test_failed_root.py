"""A task that fails in its root says why, although the hub does not take the end of the root."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import koji
import pytest
import structlog

from koji_adjutant.errors import RuntimeUnavailable
from koji_adjutant.tasks import build_arch, build_maven, buildroot_task, kept_root, run_root, source_root, wrapper_rpm
from koji_adjutant.tasks.buildroot_record import RepoTag
from koji_adjutant.tasks.rebuild_srpm import RebuildSRPM
from tests.support.task_scene import Scene

TAG = {"id": 2, "name": "f-build", "arches": "x86_64"}
REPO = {"id": 5, "create_event": 50, "tag_id": 2, "tag_name": "f-build", "state": koji.REPO_STATES["READY"]}
TARGET = {"build_tag": 2, "dest_tag": 3}
OPTS = {"repo_id": 5}


class Hub:
    """Knows one repo and makes one buildroot, which it does not expire."""

    def repoInfo(self, *_: Any, **__: Any) -> dict[str, Any]:
        return REPO

    def getBuildConfig(self, *_: Any, **__: Any) -> dict[str, Any]:
        return TAG

    getTag = getBuildConfig

    def getTaskInfo(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"arch": "noarch"}

    def getAverageBuildDuration(self, *_: Any, **__: Any) -> None:
        return None

    def host_getHost(self) -> dict[str, Any]:
        return {"id": 1, "name": "builder1", "arches": "x86_64"}

    def host_newBuildRoot(self, *_: Any, **__: Any) -> int:
        return 7

    def host_setBuildRootState(self, *_: Any) -> None:
        raise koji.GenericError("no such buildroot")


def _refuse(*_: Any, **__: Any) -> None:
    raise koji.BuildError("the package does not build")


WORK = ("RootWork", "_Build", "CommandInRoot", "MavenBuild", "WrapperBuild")
"""Who does the work in the root: all fail."""

CASES = [
    (build_arch, build_arch.BuildArchTask, ("x.src.rpm", 2, "x86_64", True, OPTS)),
    (source_root, RebuildSRPM, ("x.src.rpm", 2, OPTS)),
    (run_root, run_root.RunRootTask, ("f-build", "x86_64", "true", False, [], [], 5)),
    (build_maven, build_maven.BuildMavenTask, ("git://h/r#1", TAG, OPTS)),
    (wrapper_rpm, wrapper_rpm.WrapperRPMTask, ("git://h/r#1", TARGET, {"id": 8}, None, OPTS)),
]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | None]:
    """What roots are kept for; the work in each root fails."""
    errors: list[BaseException | None] = []
    logs = SimpleNamespace(write=lambda *_: None)
    replaced = {
        "TaskLogs": lambda _: contextlib.nullcontext(logs),
        "mock_config": lambda *_, **__: "",
        "repo_tag": lambda *_: RepoTag(REPO, TAG),
        "fetch_source_package": lambda *_: (Path("x.src.rpm"), SimpleNamespace(name="x")),
        "assert_source_allowed": lambda *_, **__: SimpleNamespace(),
        "find_wrapped": lambda *_: None,
        "keep_failed_root": lambda _, error=None: errors.append(error),
        **{name: lambda *_: SimpleNamespace(run=_refuse) for name in WORK},
    }
    for module in (buildroot_task, *(case[0] for case in CASES)):
        for name in replaced.keys() & vars(module).keys():
            monkeypatch.setattr(module, name, replaced[name])
    monkeypatch.setattr(run_root.RunRootTask, "_mounts", lambda *_: ())
    return errors


@pytest.mark.parametrize(("handler", "params"), [case[1:] for case in CASES])
def test_the_packagers_error_is_told(
    handler: type[Any], params: tuple[Any, ...], tmp_path: Path, kept: list[BaseException | None]
) -> None:
    """The hub's refusal is only logged, and the root is kept to be looked at."""
    scene = Scene(tmp_path, handler, Hub(), *params)
    with pytest.raises(koji.BuildError, match=r"^the package does not build$"):
        scene.run()
    assert scene.session.made("host.setBuildRootState")
    assert len(kept) == 1


@pytest.mark.parametrize("trouble", [RuntimeUnavailable("no service"), OSError(5, "I/O error")])
def test_trouble_with_keeping_the_root_is_only_logged(trouble: Exception, tmp_path: Path) -> None:
    """The task has failed with another error, which stays the one that is told."""

    def refuse(_: Any) -> None:
        raise trouble

    context: Any = SimpleNamespace(
        directory=tmp_path,
        options=SimpleNamespace(failed_buildroot_lifetime=60),
        runtime=SimpleNamespace(list_managed=refuse),
        labels=lambda _: {},
        log=structlog.get_logger(),
    )
    kept_root.keep_failed_root(context, koji.BuildError("the package does not build"))
    assert kept_root.kept_until(tmp_path) is not None


EARLIER = [
    (build_arch.BuildArchTask, ("x.src.rpm", 2, "x86_64", True, OPTS), "brootid"),
    (RebuildSRPM, ("x.src.rpm", 2, OPTS), "brootid"),
    (build_maven.BuildMavenTask, ("git://h/r#1", TAG, OPTS), "buildroot_id"),
    (wrapper_rpm.WrapperRPMTask, ("git://h/r#1", TARGET, {"id": 8}, {"id": 9}, OPTS), "buildroot_id"),
]


@pytest.mark.parametrize(("handler", "params", "key"), EARLIER)
def test_result_of_an_earlier_daemon(handler: type[Any], params: tuple[Any, ...], key: str, tmp_path: Path) -> None:
    """It is reported, and its buildroot expired, without any other call: the containers may be gone already."""
    hub: Any = Hub()
    hub.host_setBuildRootState = lambda *_: None
    scene = Scene(tmp_path, handler, hub, *params)
    task = scene.task()
    task.context.journal.remember("result", lambda: {key: 7, "logs": []})
    task.context.journal.close()
    assert scene.run() == {key: 7, "logs": []}
    assert scene.session.calls == [("host.setBuildRootState", (7, "EXPIRED"), {})]
