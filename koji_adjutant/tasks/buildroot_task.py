"""The frame of a task that works in a root of a build tag (contract 4.0): known to the hub, logged, expired at its end.

What is done in the root is the caller's; `buildArch`, source packages, `buildMaven`, `wrapperRPM` and images have all else in
common. A task whose work was done by an earlier daemon gives that result and touches no container.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import koji

from koji_adjutant.errors import Interrupted
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, RepoTag
from koji_adjutant.tasks.kept_root import keep_failed_root
from koji_adjutant.tasks.mock_config import mock_config
from koji_adjutant.tasks.task_logs import TaskLogs

Work = Callable[[], Mapping[str, Any]]
"""Works in the root and returns the task's result."""
Begin = Callable[[BuildrootRecord, TaskLogs], Work]
"""Makes the work of a root that the hub knows and whose logs are open."""


def _nothing(_: BaseException) -> None:
    """Do nothing more about a failure."""


class BuildrootTask(ThreadedTask):
    """Base of the handlers. A handler ends with `expire_root` of its result."""

    root_key: ClassVar[str] = "brootid"
    """Where the result names the buildroot."""

    def build_tag_asked(self) -> Any:
        """Return the build tag among the task's parameters, as the hub gave it."""
        return self.params[1]

    def checkHost(self, hostdata: Mapping[str, Any]) -> bool:  # noqa: N802 - koji's name
        """Whether an arch of the build tag is one of this host's (contract 4.0.7)."""
        tag = self.session.getBuildConfig(self.build_tag_asked())
        if not tag or not tag["arches"]:
            return True
        wanted = {koji.canonArch(arch) for arch in tag["arches"].split()}
        return bool(wanted & set((hostdata["arches"] or "").split()))

    def earlier_result(self) -> dict[str, Any] | None:
        """Return the result on record: adopted between it and its report, the containers may be gone already."""
        journal = self.context.journal
        return dict(journal.result("result")) if journal.done("result") else None

    def noarch_root_arch(self, config: Mapping[str, Any]) -> str:
        """Return the arch of a root for work of no arch; a random choice among equals is the same one after an adoption."""
        host = self.session.host.getHost()
        return str(self.context.journal.remember("arch", lambda: self.find_arch("noarch", host, config)))

    def in_root(
        self,
        repo: RepoTag,
        arch: str,
        begin: Begin,
        *,
        group: str = "build",
        network: bool = False,
        failed: Callable[[BaseException], None] = _nothing,
        keep: bool = True,
    ) -> dict[str, Any]:
        """Do the work of `begin` in a buildroot of `arch`; return its result. `group` and `network` stand in mock_config.log.

        After a failure the buildroot is expired, `failed` is called and, if `keep`, the root stays for who wants to look at it;
        what goes wrong with that is never told in the failure's place.
        """
        record = BuildrootRecord(self, repo, koji.canonArch(arch))
        with TaskLogs(self.context) as logs:
            record.create()
            config = mock_config(record.name, record.id, repo, arch, self.context.options, group=group, network=network)
            logs.write("mock-config", "mock_config.log", lambda: config)
            work = begin(record, logs)
            try:
                return dict(self.once("result", work))
            except Interrupted:
                raise
            except BaseException as error:
                record.expire_failed()
                failed(error)
                if keep:
                    keep_failed_root(self.context, error)
                raise

    def expire_root(self, result: Mapping[str, Any]) -> None:
        """Expire the buildroot of a result; the hub ignores a second time."""
        self.once("expired", lambda: self.session.host.setBuildRootState(result[self.root_key], "EXPIRED"))
