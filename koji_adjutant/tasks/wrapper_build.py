"""The root's part of a wrapperRPM: checkout, template, source package, packages (contract 4.5)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import koji
from koji.daemon import SCM

from koji_adjutant.buildroot import commands
from koji_adjutant.buildroot.root import ROOT_LOG
from koji_adjutant.buildroot.rpm_build import BuildRequest, RpmBuild
from koji_adjutant.buildroot.wording import Operation
from koji_adjutant.container.steps import BIN_DIR
from koji_adjutant.hub.rpm_header import read_srpm_header
from koji_adjutant.scm.source_url import hide_password
from koji_adjutant.scm.spec import check_spec, sources_directory
from koji_adjutant.scm.tree import copy_tree
from koji_adjutant.tasks.base import ThreadedTask
from koji_adjutant.tasks.build_record import BuildRecord
from koji_adjutant.tasks.build_results import artifact_store, put_environment
from koji_adjutant.tasks.buildroot_record import BuildrootRecord, RepoTag
from koji_adjutant.tasks.checkout import Checkout, checkout_source
from koji_adjutant.tasks.collect import Collector, list_results
from koji_adjutant.tasks.root_work import OpenRoot, RootWork
from koji_adjutant.tasks.source_root import SourceSteps
from koji_adjutant.tasks.task_logs import TaskLogs
from koji_adjutant.tasks.wrapper_artifacts import Wrapped
from koji_adjutant.tasks.wrapper_template import add_artifacts, find_template, render

GROUP = "wrapper-rpm-build"
NO_ARCH = "None"
"""kojid builds without a target here, and its sentence says so."""


@dataclass(frozen=True)
class WrapperRequest:
    """What to wrap, and how."""

    scm: SCM
    wrapped: Wrapped
    target: Mapping[str, Any]
    opts: Mapping[str, Any]
    begun: BuildRecord | None
    """The build to make, if one is to be made."""


class WrapperBuild:
    """One wrapperRPM in its root. Used by the task's thread only."""

    def __init__(
        self,
        task: ThreadedTask,
        repo: RepoTag,
        record: BuildrootRecord,
        logs: TaskLogs,
        arch: str,
        request: WrapperRequest,
    ) -> None:
        self._task = task
        self._context = task.context
        self._record = record
        self._logs = logs
        self._request = request
        self._work = RootWork(task.context, repo, record, logs, arch)

    def run(self) -> dict[str, Any]:
        """Return kojid's result: bare names."""
        result = self._work.run(GROUP, self._do)
        # Only now: the package manager's own logs come last.
        logs = {posixpath.basename(path) for path in self._logs.finish()}
        return {**result, "logs": sorted(logs | set(result["logs"]))}

    def _do(self, opened: OpenRoot) -> dict[str, Any]:
        checkout = checkout_source(
            self._task,
            self._request.scm,
            self._logs,
            build_tag=opened.plan.repo.config,
            scratch=self._request.opts.get("scratch"),
            buildroot=self._record,
        )
        checkout, spec = self._with_spec(checkout, opened)
        srpm = self._source_package(opened, checkout, spec)
        begun = self._request.begun
        if begun is not None:
            begun.begin({})  # on record since the source package was written
            if begun.completed:
                return self._completed(begun, srpm, checkout, posixpath.basename(spec))
        build = RpmBuild(opened.root, BuildRequest(srpm, NO_ARCH, opened.plan.limits.memory_bytes), self._logs)
        with self._work.listed_after(opened):
            build.run()
        return self._results(opened, checkout, posixpath.basename(spec))

    def _with_spec(self, checkout: Checkout, opened: OpenRoot) -> tuple[Checkout, str]:
        """Return the checkout with artifacts and rendered spec, and the spec's path in it. Made anew at each call."""
        tree = self._context.directory / "wrapper-tree"
        copy_tree(checkout.tree, tree)
        template = find_template(tree, checkout.inside)
        if template is None:
            url = hide_password(self._request.scm.url, self._request.scm.url)
            raise koji.BuildError(f"no spec file template found at URL: {url}")
        directory = tree / posixpath.dirname(template)
        files = ((artifact, Path(self._task.localPath(artifact.path))) for artifact in self._request.wrapped.artifacts)
        add_artifacts(directory, files)
        tag = opened.plan.repo.tag_name
        values = self._request.wrapped.values
        text = render(self._context, self._logs, tree, template, values, tag_name=tag, attempt=opened.attempt)
        spec = template.removesuffix(".tmpl")
        (tree / spec).unlink(missing_ok=True)
        with (tree / spec).open("xb") as stream:
            stream.write(text)
        artifact_store(self._context).put(tree / spec, posixpath.basename(spec))
        check_spec(tree, posixpath.dirname(spec), posixpath.basename(spec))
        return replace(checkout, tree=tree, inside=posixpath.dirname(spec)), spec

    def _source_package(self, opened: OpenRoot, checkout: Checkout, spec: str) -> str:
        """Write the source package, begin the build, put the package where a build finds it; return its name."""
        path = posixpath.join(self._context.options.chroot_tmpdir, "scmroot")
        copied = f"copied-{opened.attempt}"
        inside = self._context.journal.remember(copied, lambda: checkout.copy_into(opened.root, path))
        steps = SourceSteps(opened, self._logs, self._work.spec_runs)
        sources = sources_directory(checkout.tree, checkout.inside, rpm_layout=checkout.rpm_layout)
        name = posixpath.basename(spec)
        copies = commands.copy_sources(
            f"{BIN_DIR}/busybox", posixpath.join(inside, sources), posixpath.join(inside, name)
        )
        steps.spec_runs()
        with steps.state("buildsrpm"):
            steps.must("copy-sources", copies, Operation.BUILD_SRPM, log=ROOT_LOG)
            settings = replace(opened.plan.settings, rpmbuild_target="noarch")
            argv = commands.build_srpm(settings, posixpath.join(commands.SPECS, name))
            steps.must("rpmbuild-bs", argv, Operation.BUILD_SRPM)
        return str(self._context.journal.remember(f"srpm-{opened.attempt}", lambda: self._original(opened, checkout)))

    def _original(self, opened: OpenRoot, checkout: Checkout) -> str:
        names = list_results(opened.root).srpms
        if len(names) != 1:
            found = f"multiple srpms found in {self._place}: {', '.join(names)}"
            raise koji.BuildError(found if names else f"no srpms found in {self._place}")
        local = self._collector(opened).fetch(commands.SRPMS, names[0])
        try:
            if self._request.begun is not None:
                self._begin(self._request.begun, local, checkout)
            opened.root.put(local, commands.original(names[0]))
        finally:
            local.unlink(missing_ok=True)
        return names[0]

    def _begin(self, begun: BuildRecord, local: Path, checkout: Checkout) -> None:
        header = read_srpm_header(local)
        opts, target = self._request.opts, self._request.target
        data: dict[str, Any] = {
            "name": header.name,
            "version": header.version,
            "release": header.release,
            "epoch": header.epoch,
            "task_id": self._task.id,
            "source": checkout.source["source"],
            "extra": {"source": {"original_url": checkout.source["url"]}},
        }
        if opts.get("custom_user_metadata"):
            data["extra"]["custom_user_metadata"] = opts["custom_user_metadata"]
        if opts.get("draft"):
            data["draft"] = opts["draft"]
        config = self._task.session.getPackageConfig(target["dest_tag"], data["name"])
        if not opts.get("skip_tag"):
            if config is None:
                raise koji.BuildError(f"package {data['name']} not in list for tag {target['dest_tag_name']}")
            if config["blocked"]:
                raise koji.BuildError(f"package {data['name']} is blocked for tag {target['dest_tag_name']}")
        begun.begin(data)

    def _results(self, opened: OpenRoot, checkout: Checkout, spec: str) -> dict[str, Any]:
        files = list_results(opened.root)
        if files.unexpected:
            raise koji.BuildError(f"unexpected file found in {self._place}: {files.unexpected[0]}")
        if len(files.srpms) > 1:
            raise koji.BuildError(f"multiple srpms found in {self._place}: {', '.join(files.srpms)}")
        if not files.srpms:
            raise koji.BuildError("no srpm found")
        if not files.rpms:
            raise koji.BuildError("no rpms found")
        collector = self._collector(opened)
        collector.take(commands.SRPMS, files.srpms)
        collector.take(commands.RPMS, files.rpms)
        extra = put_environment(self._context, opened.root, opened.plan, opened.prepared, self._record.id)
        return {
            "buildroot_id": self._record.id,
            "srpm": files.srpms[0],
            "rpms": list(files.rpms),
            "logs": [posixpath.basename(extra), spec],
            "source": checkout.source,
        }

    def _completed(self, begun: BuildRecord, srpm: str, checkout: Checkout, spec: str) -> dict[str, Any]:
        """Return the result of an earlier run of the task, which has imported its packages."""
        rows = self._task.session.listBuildRPMs(begun.id)
        rpms = sorted(f"{row['nvr']}.{row['arch']}.rpm" for row in rows if row["arch"] not in {"src", "nosrc"})
        return {
            "buildroot_id": self._record.id,
            "srpm": srpm,
            "rpms": rpms,
            "logs": [spec],
            "source": checkout.source,
        }

    def _collector(self, opened: OpenRoot) -> Collector:
        config = self._context.config.build
        store = artifact_store(self._context)
        return Collector(opened.root, store, self._context.directory / "results", config.result_max_bytes)

    @property
    def _place(self) -> str:
        return f"{self._context.options.mockdir}/{self._record.name}/result"
