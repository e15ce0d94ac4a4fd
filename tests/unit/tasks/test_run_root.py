"""runroot: what the hub is asked, in the plugin's words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import koji
import pytest

from koji_adjutant.config.kojid_options import KojidOptions
from koji_adjutant.tasks.run_root import RunRootTask

OPTIONS = KojidOptions(server="http://hub", topurl="http://top", topurls=("http://top",), workdir="/nowhere")
REPO = {"id": 3, "tag_name": "f-build", "tag_id": 1, "create_event": 5, "state": koji.REPO_STATES["READY"]}


def task(**session: Any) -> RunRootTask:
    """A task on a hub that answers so."""
    return RunRootTask(40, "runroot", ["f-build", "noarch", "true"], SimpleNamespace(**session), OPTIONS)


def arch(host: str, tag: str) -> str:
    """The arch of a noarch task's root."""
    session = {
        "host": SimpleNamespace(getHost=lambda: {"arches": host}),
        "getBuildConfig": lambda _: {"arches": tag},
    }
    return task(**session)._concrete_arch("f-build", "noarch")


def test_arch_of_a_noarch_task() -> None:
    """The tag's first arch that this host has, canonical; a concrete one stays as it is."""
    assert arch("x86_64 i686", "aarch64 i686 x86_64") == "i386"
    assert task()._concrete_arch("f-build", "i686") == "i686"


@pytest.mark.parametrize(
    ("host", "tag", "text"),
    [
        ("", "x86_64", "No arch list for this host"),
        ("x86_64", "", "No arch list for tag: f-build"),
        ("x86_64", "aarch64", r"host does not match tag arches: f-build \(aarch64\)"),
    ],
)
def test_no_arch(host: str, tag: str, text: str) -> None:
    """The plugin's words."""
    with pytest.raises(koji.BuildError, match=text):
        arch(host, tag)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"tag_name": "other"}, r"build tag \(f-build\) does not match repo tag \(other\)"),
        ({"state": koji.REPO_STATES["INIT"]}, "repos in the INIT state may not be used by runroot"),
    ],
)
def test_repo_that_does_not_fit(changed: dict[str, Any], text: str) -> None:
    """The plugin's words."""
    with pytest.raises(koji.BuildError, match=text):
        task(repoInfo=lambda *_, **__: {**REPO, **changed})._repo("f-build", 3)


def test_expired_repo() -> None:
    """As good as a new one."""
    expired = {**REPO, "state": koji.REPO_STATES["EXPIRED"]}
    assert task(repoInfo=lambda *_, **__: expired)._repo("f-build", 3) == expired


def test_waits_for_a_repo() -> None:
    """Without a repo a child waits for one; its label finds it again."""
    asked: list[dict[str, Any]] = []

    def subtask(**options: Any) -> int:
        asked.append(options)
        return 41

    waiting = task(getRepo=lambda _: None, host=SimpleNamespace(subtask=subtask))
    waiting.wait = lambda child: {child: {"id": 9}}
    assert waiting._newest_repo("f-build") == 9
    assert asked == [
        {"method": "waitrepo", "arglist": ["f-build", None, None], "parent": 40, "label": "waitrepo"},
    ]
