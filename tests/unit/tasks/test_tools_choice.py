"""Who says which tools a task gets: the tag before the configuration."""

from types import SimpleNamespace

import pytest

from koji_adjutant.buildroot.settings import root_settings
from koji_adjutant.container.interface import ImageInfo, ResourceLimits
from koji_adjutant.tasks.buildroot_record import RepoTag
from koji_adjutant.tasks.root_parts import RootPlan
from koji_adjutant.tasks.tools_choice import named_by_tag, tools_line, why_off

OPTIONS = SimpleNamespace(
    packager="P", vendor="V", distribution="D", mockhost="koji-linux-gnu", yum_proxy=None, rpmbuild_timeout=1
)


def plan(extra=None, *, allowed=True, **more):
    """A plan for a tag with these extra settings."""
    tag = {"name": "tag-build", "id": 7, "arches": "x86_64", "extra": extra or {}}
    settings = root_settings(tag, OPTIONS, arch="x86_64", repo_urls=["http://hub/r"], bootstrap_image_allowed=allowed)
    tools = ImageInfo("localhost/tools:1", "id", "sha256:dd", "amd64")
    return RootPlan(RepoTag({"id": 9, "create_event": 1}, tag), settings, tools, b"", ResourceLimits(), **more)


@pytest.mark.parametrize(
    ("extra", "configured", "reason"),
    [
        ({}, "auto", None),
        ({}, "off", ""),
        ({"mock.use_bootstrap": True}, "off", None),
        ({"mock.use_bootstrap": False}, "auto", "mock.use_bootstrap of the tag is False"),
        ({"adjutant.image": "localhost/x"}, "auto", "the tag names an image"),
        ({"mock.bootstrap_image": "localhost/x"}, "auto", "the tag names an image"),
        ({"mock.forcearch": "s390x"}, "auto", "they would be of another architecture (mock.forcearch)"),
    ],
)
def test_when_tools_of_the_repo_are_looked_for(extra, configured, reason):
    """None: they are; empty: the configuration turns them off, which needs no note."""
    assert why_off(plan(extra), configured=configured) == reason


def test_the_tags_own_image():
    """Ours comes before mock's, and mock's counts only where kojid.conf allows it."""
    both = {"adjutant.image": "localhost/ours", "mock.bootstrap_image": "localhost/mocks"}
    mocks = {"mock.bootstrap_image": "localhost/mocks"}
    for extra, allowed, expected in (
        (both, True, "localhost/ours"),
        (mocks, True, "localhost/mocks"),
        (mocks, False, None),
        ({}, True, None),
    ):
        found = plan(extra, allowed=allowed)
        assert named_by_tag(found.repo, found.settings) == expected


def test_root_log_names_the_tools():
    """Image, digest and notes, a line each."""
    assert tools_line(plan(notes=("tools of the tag's own repo",))) == (
        "tools image localhost/tools:1 (sha256:dd)\nnote: tools of the tag's own repo\n"
    )
