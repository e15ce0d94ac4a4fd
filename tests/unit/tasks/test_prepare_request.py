"""Images are asked for by tag, with the arch that host and tag share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from koji_adjutant.errors import UsageError
from koji_adjutant.tasks.prepare_request import only_arch, request_images


@pytest.mark.parametrize(
    ("of_host", "of_tag", "arch"),
    [("x86_64 i686", "x86_64", "x86_64"), ("x86_64", "i586 x86_64 aarch64", "x86_64"), ("i686", "i586", "i386")],
)
def test_the_one_arch(of_host: str, of_tag: str, arch: str) -> None:
    """What both have, by its canonical name."""
    assert only_arch(of_host, of_tag) == arch


@pytest.mark.parametrize(
    ("of_host", "of_tag", "text"),
    [
        ("x86_64 i686", "x86_64 i686", "several arches: i386, x86_64"),
        ("x86_64", "aarch64", "none of the tag's"),
        ("", "x86_64", "none"),
        ("x86_64", "", "none"),
    ],
)
def test_no_arch_or_several(of_host: str, of_tag: str, text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(UsageError, match=text):
        only_arch(of_host, of_tag)


def test_a_tag_without_a_repo() -> None:
    """It is said, with the command that makes one."""
    session = SimpleNamespace(getTag=lambda tag: {"id": 1} if tag == "t1" else None, getRepo=lambda _tag: None)
    context: Any = SimpleNamespace(session=session)
    with pytest.raises(UsageError, match="koji regen-repo t1"):
        request_images(context, "t1", None)
    with pytest.raises(UsageError, match="no tag t2"):
        request_images(context, "t2", None)
