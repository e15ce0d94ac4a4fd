"""`createKiwiImage`: a disk image made by kiwi in a privileged root of group `kiwi-build` (contract 4.7).

Only where the operator has turned `privileged_images` on. Stands in for the child task of the kiwi plugin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from koji_adjutant.tasks.buildroot_record import BuildrootRecord, repo_tag
from koji_adjutant.tasks.buildroot_task import BuildrootTask, Work
from koji_adjutant.tasks.checkout import assert_source_allowed
from koji_adjutant.tasks.kiwi_image import GROUP, ImageRequest, KiwiImage
from koji_adjutant.tasks.task_logs import TaskLogs


class CreateKiwiImageTask(BuildrootTask):
    """Handles `createKiwiImage`."""

    Methods = ["createKiwiImage"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 2.0  # noqa: N815 - koji's name

    def build_tag_asked(self) -> Any:
        """Return the build tag's id."""
        return self.params[4]["build_tag"]

    def handler(
        self,
        name: str,
        version: str,
        release: str,
        arch: str,
        target_info: Mapping[str, Any],
        build_tag: int | str,  # noqa: ARG002 - the plugin takes the target's too
        repo_info: Mapping[str, Any],
        desc_url: str,
        desc_path: str,
        opts: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Make the image; the plugin's parameters, result and errors."""
        result = self.earlier_result()
        if result is None:
            opts = opts or {}
            # The plugin ignores allow_password_in_scm_url.
            scm = assert_source_allowed(self, desc_url, scratch=opts.get("scratch", False), passwords=False)
            request = ImageRequest(name, version, release, arch, scm, desc_path, opts)
            result = self._made(target_info["build_tag"], repo_info["id"], request)
        self.expire_root(result)
        return dict(result["image"])

    def _made(self, build_tag: int | str, repo_id: int, request: ImageRequest) -> dict[str, Any]:
        repo = repo_tag(self.session, self.session.repoInfo(repo_id, strict=True), build_tag, self.context.log)

        def begin(record: BuildrootRecord, logs: TaskLogs) -> Work:
            return KiwiImage(self, repo, record, logs, request).run

        return self.in_root(repo, request.arch, begin, group=GROUP, network=True, keep=False)
