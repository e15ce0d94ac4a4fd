"""Promises of `ensure_image_available`."""

from __future__ import annotations

import pytest

from koji_adjutant.container.interface import PullPolicy
from koji_adjutant.errors import ImageError


def test_image_that_is_there(runtime):
    """An image of the store is told with digest and architecture, again and again."""
    first = runtime.manager.ensure_image_available(runtime.image)
    assert first == runtime.manager.ensure_image_available(runtime.image, PullPolicy.NEVER)
    assert first.digest.startswith("sha256:")
    assert first.arch


def test_never_pull(runtime):
    """With policy `never` an image that is not in the store is missing."""
    with pytest.raises(ImageError) as caught:
        runtime.manager.ensure_image_available("localhost/nosuch:1", PullPolicy.NEVER)
    assert (caught.value.reason, caught.value.retryable) == ("missing", False)


def test_wrong_architecture(runtime):
    """An image of another machine is refused, with both architectures named."""
    with pytest.raises(ImageError) as caught:
        runtime.manager.ensure_image_available(runtime.foreign_image, PullPolicy.NEVER)
    assert caught.value.reason == "wrong-arch"
    assert runtime.foreign_image in caught.value.brief
    assert "s390x" in caught.value.brief or "arm64" in caught.value.brief


@pytest.mark.parametrize(
    ("kind", "reason", "retryable"),
    [("denied", "denied", False), ("missing", "missing", False), ("broken", "pull-failed", True)],
)
def test_failed_pull(runtime, pulls, kind, reason, retryable):
    """A pull that is denied, of nothing, or broken is told apart, naming the image."""
    with pytest.raises(ImageError) as caught:
        runtime.manager.ensure_image_available(pulls[kind])
    assert (caught.value.reason, caught.value.retryable) == (reason, retryable)
    assert pulls[kind] in caught.value.brief
