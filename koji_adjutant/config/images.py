"""Section `images`: which images tasks run in, where they come from, which are allowed."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field

from koji_adjutant.config.quantities import Duration, Size
from koji_adjutant.config.section import OffAsText, Section

Pull = Literal["missing", "always", "never"]


class PullRule(Section):
    """Pull policy of the images whose name matches."""

    image: str = Field(min_length=1, description="Glob over the image's full name, such as `registry.example.com/*`.")
    policy: Pull = Field(description="`missing`, `always` or `never`.")


class PullSection(Section):
    """When the registry is asked for an image."""

    default: Pull = Field(
        "missing",
        description="`missing` asks only for what the store lacks (quick, and survives a registry that is down); `always` "
        "follows tags that move; `never` is for hosts without a registry.",
    )
    rules: tuple[PullRule, ...] = Field(
        (), description="Exceptions, first match wins: a list of `{image: GLOB, policy: missing|always|never}`."
    )

    def policy_for(self, image: str) -> Pull:
        """Return the policy of the first rule that matches; `localhost/` images come from no registry: `never`."""
        for rule in self.rules:
            if fnmatchcase(image, rule.image):
                return rule.policy
        return "never" if image.startswith("localhost/") else self.default


class ImageRule(Section):
    """The tools image of the tasks that match. All three globs must match."""

    tag: str = Field("*", min_length=1, description="Glob over the name of the build tag.")
    arch: str = Field("*", min_length=1, description="Glob over the arch of the task.")
    method: str = Field("*", min_length=1, description="Glob over the task method.")
    image: str = Field(min_length=1, description="Image to use.")


class PreparedSection(Section):
    """Images of a filled buildroot, kept so that the next task of the same repo starts at once."""

    enabled: bool = Field(
        default=True,
        description="Keep prepared images. Off: every task installs its buildroot anew, slower and with less disk.",
    )
    max_bytes: Size = Field(
        50 << 30, description="Size of all prepared images together; the least recently used go first. Default 50GiB."
    )
    max_age: Duration = Field(
        7 * 86400,
        description="Seconds after its last use at which a prepared image goes (default 7d). A tag's repo rarely lives longer.",
    )


class ImagesSection(Section):
    """Images of tasks."""

    tools: str | None = Field(
        None,
        min_length=1,
        description="Image with dnf, rpm, createrepo_c and git that fills buildroots from outside. Needed for building with "
        "Podman; a tag's own `adjutant.image` or a rule below comes first.",
    )
    allowed: tuple[str, ...] = Field(
        ("localhost/*",),
        description="Globs of images a tag's extra settings may name. Images this file names itself are always allowed. "
        "Default: only images made on this host, since whoever edits a tag would else choose what runs here.",
    )
    pull: PullSection = Field(default_factory=PullSection, description="When the registry is asked.")
    rules: tuple[ImageRule, ...] = Field(
        (),
        description="Tools images by tag, arch and method, first match wins: `{tag: GLOB, arch: GLOB, method: GLOB, "
        "image: I}`.",
    )
    bootstrap: Annotated[Literal["auto", "off"], OffAsText] = Field(
        "auto",
        description="`auto` makes the tools image from the tag's own repo where that has dnf and rpm, as mock's bootstrap "
        "does, so that the root's rpm can read its rpmdb; `off` uses the named image for every tag.",
    )
    prepared: PreparedSection = Field(default_factory=PreparedSection, description="Images of filled buildroots.")
    empty: str = Field(
        "localhost/koji-adjutant/empty",
        min_length=1,
        description="Name of the empty image that buildroots start from; made when it is missing.",
    )

    def tools_for(self, tag: str, arch: str, method: str) -> str | None:
        """Return the image of the first rule that matches, else `tools`."""
        for rule in self.rules:
            if fnmatchcase(tag, rule.tag) and fnmatchcase(arch, rule.arch) and fnmatchcase(method, rule.method):
                return rule.image
        return self.tools

    def allows(self, image: str) -> bool:
        """Say whether `image` may run: named in this section, or matched by `allowed`."""
        named = {self.tools, self.empty, *(rule.image for rule in self.rules)}
        return image in named or any(fnmatchcase(image, glob) for glob in self.allowed)
