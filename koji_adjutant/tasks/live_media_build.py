"""`livemedia`: live images, made by a createLiveMedia for each arch (contract 4.6).

Only where the operator has turned `privileged_images` on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from koji_adjutant.tasks.image_build import ImageBuildTask, ImagePlan, tag_arches


class LiveMediaBuildTask(ImageBuildTask):
    """Handles `livemedia`."""

    Methods = ["livemedia"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 1.0  # noqa: N815 - koji's name
    report_word = "livecd"
    """kojid's word here too."""

    def handler(
        self,
        name: str,
        version: str,
        arches: Sequence[str],
        target: int | str,
        ksfile: str,
        opts: Mapping[str, Any] | None = None,
    ) -> str:
        """Build; kojid's parameters, result and errors."""
        options = dict(opts or {})
        info = self.session.getBuildTarget(target, strict=True)
        build_tag = info["build_tag"]
        repo = self.once("repo", lambda: self.getRepo(build_tag))
        chosen = tag_arches(self.session.getBuildConfig(build_tag), arches)

        def arguments(arch: str, release: str) -> list[Any]:
            return [name, version, release, arch, info, build_tag, repo, ksfile, options]

        plan = ImagePlan(
            name=name,
            version=version,
            target=info,
            repo_id=repo["id"],
            arches=chosen,
            opts=options,
            method="createLiveMedia",
            label=lambda arch: f"livemedia {arch}",
            arguments=arguments,
        )
        return self.build_images(plan)
