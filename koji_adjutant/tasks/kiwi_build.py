"""`kiwiBuild`: an image that a kiwi description describes, made by a createKiwiImage for each arch (contract 4.6).

Only where the operator has turned `privileged_images` on. Stands in for the kiwi plugin's task.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

import koji

from koji_adjutant.scm.tree import read_text
from koji_adjutant.tasks.checkout import assert_source_allowed, checkout_source
from koji_adjutant.tasks.image_build import ImageBuildTask, ImagePlan, tag_arches
from koji_adjutant.tasks.image_root import TEXT_BYTES
from koji_adjutant.tasks.kiwi_description import Facts, read_facts
from koji_adjutant.tasks.task_logs import TaskLogs


class KiwiBuildTask(ImageBuildTask):
    """Handles `kiwiBuild`."""

    Methods = ["kiwiBuild"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 4.0  # noqa: N815 - koji's name

    def handler(
        self,
        target: int | str,
        arches: Sequence[str] | None,
        desc_url: str,
        desc_path: str,
        opts: Mapping[str, Any] | None = None,
    ) -> str:
        """Build; the plugin's parameters, result and errors."""
        info = self.session.getBuildTarget(target, strict=True)
        build_tag = info["build_tag"]
        repo = self.once("repo", lambda: self.getRepo(build_tag))
        config = self.session.getBuildConfig(build_tag)
        chosen = tag_arches(config, arches)
        options: dict[str, Any] = {
            "scratch": False,
            "optional_arches": [],
            **{key: value for key, value in (opts or {}).items() if value},
        }
        if not (config.get("extra") or {}).get("mock.new_chroot", True):
            options["mount_dev"] = True
        facts = self._facts(config, desc_url, desc_path, options)
        profile = options.get("profile", facts.profile)
        name = f"{facts.name}-{profile}" if profile else facts.name
        version = options.get("version") or facts.version
        asked = {"name": name, "version": version}
        release = options.get("release") or self.once("release", lambda: self.session.getNextRelease(asked))

        def arguments(arch: str, made: str) -> list[Any]:
            return [name, version, made, arch, info, build_tag, repo, desc_url, desc_path, options]

        plan = ImagePlan(
            name=name,
            version=version,
            target=info,
            repo_id=repo["id"],
            arches=chosen,
            opts={**options, "release": release, "specfile": None},
            method="createKiwiImage",
            label=lambda arch: arch,
            arguments=arguments,
        )
        return self.build_images(plan)

    def _facts(self, config: Mapping[str, Any], url: str, path: str, opts: Mapping[str, Any]) -> Facts:
        """Read the description in a checkout of this task's own, as each child reads its own."""
        scm = assert_source_allowed(self, url, scratch=opts["scratch"], passwords=False)
        with TaskLogs(self.context, build_log=False) as logs:
            checkout = checkout_source(self, scm, logs, build_tag=config, scratch=opts["scratch"])
            inside = posixpath.join(checkout.inside, path)
            text = read_text(checkout.tree, inside, max_bytes=TEXT_BYTES)
            if text is None:
                raise koji.GenericError(f"Kiwi description {path} is not in the checkout.")
            facts = read_facts(path, text.encode())
            logs.finish()
        return facts
