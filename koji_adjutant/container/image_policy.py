"""Which image a task runs in, and whether it may: pure decisions over the `images` section of the configuration."""

from __future__ import annotations

from koji_adjutant.config.images import ImagesSection
from koji_adjutant.container.interface import PullPolicy
from koji_adjutant.errors import ImageError


def tools_image(images: ImagesSection, *, tag: str, arch: str, method: str, of_tag: str | None = None) -> str:
    """The tools image of a task; `of_tag` is what the build tag's extra settings name (`adjutant.image`).

    Raises:
        ImageError: `not-allowed`: none is named, or the tag's one is not allowed here.
    """
    image = of_tag or images.tools_for(tag, arch, method)
    if not image:
        raise ImageError(
            f"no tools image for {method} of {arch} in {tag}",
            resolution="Set images.tools or a rule in images.rules, or `adjutant.image` in the tag's extra settings.",
            reason="not-allowed",
        )
    return allowed_image(images, image, wanted_by=f"tag {tag}" if of_tag else "images.rules")


def allowed_image(images: ImagesSection, image: str, *, wanted_by: str) -> str:
    """`image` itself.

    Raises:
        ImageError: `not-allowed`, naming who wants it and the setting.
    """
    if images.allows(image):
        return image
    raise ImageError(
        f"image {image}, wanted by {wanted_by}, is not allowed on this host",
        details=f"images.allowed is: {', '.join(images.allowed) or '(empty)'}",
        resolution=f"Add a glob that matches {image} to images.allowed, or name another image.",
        reason="not-allowed",
    )


def pull_policy(images: ImagesSection, image: str) -> PullPolicy:
    """When to ask the registry for `image`."""
    return PullPolicy(images.pull.policy_for(image))
