"""A password in a source's URL is in no fault of a task."""

from types import SimpleNamespace

import koji
import pytest

from koji_adjutant.scm.source_url import parse_source
from koji_adjutant.tasks import maven_patches, wrapper_build
from koji_adjutant.tasks.wrapper_build import WrapperBuild, WrapperRequest

URL = "git://user:secret@host/repo#r"
SHOWN = r"git://user:\*\*\*@host/repo"


def test_no_patches(monkeypatch, tmp_path):
    """The checkout has none."""
    monkeypatch.setattr(maven_patches, "assert_source_allowed", lambda *_, **__: SimpleNamespace())
    monkeypatch.setattr(maven_patches, "checkout_source", lambda *_, **__: SimpleNamespace(directory=tmp_path))
    with pytest.raises(koji.BuildError, match=f"^no patches found at {SHOWN}#r$"):
        maven_patches.checkout_patches(None, None, URL, build_tag=None, scratch=False, buildroot=None)


def test_patch_that_does_not_apply():
    """It is named by its URL."""
    root = SimpleNamespace(build_step=lambda *_, **__: SimpleNamespace(ok=False))
    with pytest.raises(koji.BuildError, match=f"^error applying patches from {SHOWN}#r, see patches.log for details$"):
        maven_patches.apply_patches(SimpleNamespace(root=root), ["a.patch"], "", "/source", URL)


def test_no_template(monkeypatch, tmp_path):
    """A wrapper's checkout without one."""
    (tmp_path / "checkout").mkdir()
    monkeypatch.setattr(wrapper_build, "RootWork", lambda *_: None)
    scm = parse_source(URL, allow_password=True)
    task = SimpleNamespace(context=SimpleNamespace(directory=tmp_path))
    work = WrapperBuild(task, None, None, None, "noarch", WrapperRequest(scm, None, {}, {}, None))
    with pytest.raises(koji.BuildError, match=f"^no spec file template found at URL: {SHOWN}"):
        work._with_spec(SimpleNamespace(tree=tmp_path / "checkout", inside=""), None)
