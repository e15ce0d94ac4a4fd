"""`runroot`: one command as root in a fresh root of a tag (contract 4.7). Native: stands in for the runroot plugin.

Here is what the hub is asked and what the configuration allows; `command_in_root` does the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import koji

from koji_adjutant.errors import Interrupted
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, repo_tag
from koji_adjutant.tasks.command_in_root import CommandInRoot, RootCommand
from koji_adjutant.tasks.host_volume import HostVolume
from koji_adjutant.tasks.kept_root import keep_failed_root
from koji_adjutant.tasks.mock_config import mock_config
from koji_adjutant.tasks.runroot_command import log_paths
from koji_adjutant.tasks.runroot_config import read_runroot_config
from koji_adjutant.tasks.runroot_mounts import OF_ROOT, container_mounts, host_mounts, mounts_log, wanted_mounts
from koji_adjutant.tasks.task_logs import TaskLogs

MOUNTS_LOG = "do_mounts.log"


class RunRootTask(ThreadedTask):
    """Handles `runroot`."""

    Methods = ["runroot"]  # noqa: RUF012 - koji's class attribute
    _taskWeight = 2.0  # noqa: N815 - koji's name

    def handler(
        self,
        root: str,
        arch: str,
        command: str | Sequence[str],
        keep: bool = False,  # noqa: ARG002 - of no use in the plugin either
        packages: Sequence[str] = (),
        mounts: Sequence[str] = (),
        repo_id: int | None = None,
        skip_setarch: bool = False,
        weight: float | None = None,
        upload_logs: Sequence[str] | None = None,
        new_chroot: bool | None = None,
    ) -> str:
        """Run; the plugin's parameters, order of hub calls, result and errors."""
        if weight is not None:
            self.session.host.setTaskWeight(self.id, max(weight, 0.5))
        if new_chroot is not None:
            self.context.log.info("runroot.option_without_meaning", option="new_chroot", value=new_chroot)
        br_arch = self._concrete_arch(root, arch)
        repo = repo_tag(self.session, self._repo(root, repo_id), root, self.context.log)
        record = BuildrootRecord(self, repo, koji.canonArch(br_arch))
        with TaskLogs(self.context) as logs:
            volumes = self._mounts(mounts, logs)
            record.create()
            config = mock_config(record.name, record.id, repo, br_arch, self.context.options)
            logs.write("mock-config", "mock_config.log", lambda: config)
            request = RootCommand(command, tuple(packages), log_paths(upload_logs), volumes, skip_setarch)
            run = CommandInRoot(self.context, repo, record, logs, br_arch, request)
            try:
                result = str(self.once("result", run.run))
            except Interrupted:
                raise
            except BaseException as error:
                record.expire_failed()
                # Mounts of the host are not held busy for a root that somebody may want to look at.
                if not volumes:
                    keep_failed_root(self.context, error)
                raise
            self.once("logs", logs.finish)
        record.expire()
        return result

    def _concrete_arch(self, root: str, arch: str) -> str:
        """Return the root's arch: for noarch the tag's first one that this host has."""
        if arch != "noarch":
            return arch
        host_arches = self.session.host.getHost()["arches"]
        if not host_arches:
            raise koji.BuildError("No arch list for this host")
        tag_arches = self.session.getBuildConfig(root)["arches"]
        if not tag_arches:
            raise koji.BuildError(f"No arch list for tag: {root}")
        ours = {koji.canonArch(each) for each in host_arches.split()}
        for each in tag_arches.split():
            if koji.canonArch(each) in ours:
                return str(koji.canonArch(each))
        raise koji.BuildError(f"host does not match tag arches: {root} ({tag_arches})")

    def _repo(self, root: str, repo_id: int | None) -> Any:
        """Return the repo's row, of the one asked for or of the tag's newest, waited for if there is none."""
        if not repo_id:
            return self.session.repoInfo(self.once("repo", lambda: self._newest_repo(root)), strict=True)
        info = self.session.repoInfo(repo_id, strict=True)
        if info["tag_name"] != root:
            raise koji.BuildError(f"build tag ({root}) does not match repo tag ({info['tag_name']})")
        state = koji.REPO_STATES[info["state"]]
        if state not in {"READY", "EXPIRED"}:
            raise koji.BuildError(f"repos in the {state} state may not be used by runroot")
        return info

    def _newest_repo(self, root: str) -> int:
        repo = self.session.getRepo(root)
        if not repo:
            # The label lets the hub find the child again instead of making a second one.
            child = self.session.host.subtask(
                method="waitrepo", arglist=[root, None, None], parent=self.id, label="waitrepo"
            )
            repo = self.wait(child)[child]
        return int(repo["id"])

    def _mounts(self, extra: Sequence[str], logs: TaskLogs) -> tuple[HostVolume, ...]:
        """Judge the mounts once: a task that is adopted keeps those that its container has, whatever became of them."""
        found = self.context.journal.remember("host-mounts", lambda: self._judged(extra))
        if found["log"]:
            logs.write("mounts", MOUNTS_LOG, lambda: str(found["log"]))
        return tuple(map(HostVolume.from_record, found["volumes"]))

    def _judged(self, extra: Sequence[str]) -> dict[str, Any]:
        config = read_runroot_config(self.context.config.plugin_conf_dir)
        if config.internal_dev_setup is not None:
            self.context.log.info("runroot.option_without_meaning", option="internal_dev_setup")
        wanted = wanted_mounts(config, extra)
        volumes = container_mounts(wanted, host_mounts(), (*OF_ROOT, self.options.chroot_tmpdir))
        return {"volumes": [each.record() for each in volumes], "log": mounts_log(wanted, volumes)}
