"""`createLiveMedia`: a live ISO made by livemedia-creator in a privileged root of group `livemedia-build` (contract 4.6).

Only where the operator has turned `privileged_images` on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from koji_adjutant.tasks.buildroot_record import BuildrootRecord, repo_tag
from koji_adjutant.tasks.buildroot_task import BuildrootTask, Work
from koji_adjutant.tasks.checkout import assert_source_allowed
from koji_adjutant.tasks.live_media import GROUP, LiveMedia, MediaRequest
from koji_adjutant.tasks.live_media_command import volume_id
from koji_adjutant.tasks.task_logs import TaskLogs


class CreateLiveMediaTask(BuildrootTask):
    """Handles `createLiveMedia`."""

    Methods = ["createLiveMedia"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 1.5  # noqa: N815 - koji's name

    def build_tag_asked(self) -> Any:
        """Return the build tag."""
        return self.params[5]

    def handler(
        self,
        name: str,
        version: str,
        release: str,
        arch: str,
        target_info: Mapping[str, Any],  # noqa: ARG002 - of it kojid takes the build tag's name, which the repo has too
        build_tag: int | str,
        repo_info: Mapping[str, Any],
        ksfile: str,
        opts: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Make the image; kojid's parameters, result and errors."""
        result = self.earlier_result()
        if result is None:
            opts = opts or {}
            # Known without a root: a volume id that is too long.
            volume_id((name, version, release, arch), opts.get("volid"))
            sources = {key: self._source(opts.get(key), opts) for key in ("ksurl", "lorax_url")}
            request = MediaRequest(name, version, release, arch, ksfile, opts, sources["ksurl"], sources["lorax_url"])
            result = self._made(build_tag, repo_info["id"], request)
        self.expire_root(result)
        return dict(result["image"])

    def _source(self, url: str | None, opts: Mapping[str, Any]) -> Any:
        return assert_source_allowed(self, url, scratch=opts.get("scratch")) if url else None

    def _made(self, build_tag: int | str, repo_id: int, request: MediaRequest) -> dict[str, Any]:
        repo = repo_tag(self.session, self.session.repoInfo(repo_id, strict=True), build_tag, self.context.log)

        def begin(record: BuildrootRecord, logs: TaskLogs) -> Work:
            return LiveMedia(self, repo, record, logs, request).run

        return self.in_root(repo, request.arch, begin, group=GROUP, network=True, keep=False)
