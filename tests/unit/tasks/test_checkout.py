"""What plugins are given of a checkout."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import koji
import koji.plugin
import pytest

from koji_adjutant.config.scm import ScmSection
from koji_adjutant.scm.source_url import parse_source
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.checkout import _Run
from tests.support.task_scene import Scene


class Task(ThreadedTask):
    """Whoever checks out."""

    Methods = ["x"]  # noqa: RUF012 - koji's class attribute


class Hub:
    """What koji asks for plugins."""

    def getTaskInfo(self, task: int, **_more: Any) -> dict[str, Any]:
        return {"id": task}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A plugin is there; the source directories that it got."""
    seen: list[str] = []
    plugin = [lambda _kind, srcdir, **_more: seen.append(srcdir)]
    monkeypatch.setitem(koji.plugin.callbacks, "postSCMCheckout", plugin)
    return seen


def after_checkout(tmp_path, module: str) -> None:
    """Check out `module` of svn, so far as it is done here: the tree is there, plugins follow."""
    (tmp_path / "outside").mkdir()
    tree = tmp_path / "tree"
    (tree / "real").mkdir(parents=True)
    (tree / "file").touch()
    links = {"near": "real", "far": "../outside", "absolute": str(tmp_path / "outside"), "round": "round"}
    for name, target in links.items():
        (tree / name).symlink_to(target)
    task = Scene(tmp_path, Task, Hub()).task()
    config: Any = SimpleNamespace(scm=ScmSection())
    task.bind(replace(task.context, config=config))
    scm = parse_source(f"svn+https://me:word@host/svn?{module}#1", allow_password=True)
    nothing: Any = None
    _Run(task, scm, nothing, {}, "checkout", "checkout.log")._plugins(tree)


@pytest.mark.parametrize("module", ["far", "absolute", "round", "file", "none"])
def test_a_module_that_leads_out_is_not_given_to_plugins(tmp_path, given, module):
    """They would work on this machine's files; the module is named, the password is not."""
    with pytest.raises(koji.BuildError) as error:
        after_checkout(tmp_path, module)
    url = f"svn+https://me:***@host/svn?{module}#1"
    assert str(error.value) == f"there is no directory {module} in the checkout of {url}"
    assert given == []


@pytest.mark.parametrize("module", ["real", "near"])
def test_plugins_get_a_real_directory(tmp_path, given, module):
    """Links within the checkout are followed before."""
    after_checkout(tmp_path, module)
    assert given == [str(tmp_path / "checkout-tree" / "real")]
